# config/environments/production.rb: config.action_mailbox.ingress = :relay
# and RAILS_INBOUND_EMAIL_PASSWORD is the PASSWORD above.
class ApplicationMailbox < ActionMailbox::Base
  routing all: :inbox # the envelope's recipients are X-Original-To: they route too
end

class InboxMailbox < ApplicationMailbox
  def process
    puts mail.subject # your code
  end
end
