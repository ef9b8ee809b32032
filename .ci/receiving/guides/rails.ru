# A Rails application around the mailbox of the guide: Action Mailbox with its
# relay ingress, a database and blobs below DATA.
ENV['RAILS_ENV'] = 'production'
require 'rails'
require 'active_record/railtie'
require 'active_job/railtie'
require 'active_storage/engine'
require 'action_controller/railtie'
require 'action_mailbox/engine'

data = ENV.fetch('DATA')
File.write("#{data}/database.yml", { 'production' => { 'adapter' => 'sqlite3', 'database' => "#{data}/db.sqlite3", 'timeout' => 20_000 } }.to_yaml)

class Guide < Rails::Application
  data = ENV.fetch('DATA')
  config.root = data
  config.load_defaults 6.1
  config.eager_load = false
  config.secret_key_base = 'guide' * 16
  config.logger = Logger.new($stderr, level: :warn)
  config.active_job.queue_adapter = :inline # what the mailbox raises becomes the answer
  config.active_storage.service = :local
  config.active_storage.service_configurations = { local: { service: 'Disk', root: "#{data}/blobs" } }
  config.action_mailbox.ingress = :relay
  config.action_mailbox.incinerate = false
  config.paths['config/database'] = ["#{data}/database.yml"]
end
Guide.initialize!

ActiveRecord::Base.establish_connection
paths = %w[activestorage actionmailbox].map { |g| "#{Gem.loaded_specs[g]&.full_gem_path || Gem::Specification.find_by_name(g).full_gem_path}/db/migrate" }
ActiveRecord::Migration.verbose = false
ActiveRecord::MigrationContext.new(paths, ActiveRecord::SchemaMigration).migrate
$stdout.sync = true
load ENV.fetch('FILE')
run Rails.application
