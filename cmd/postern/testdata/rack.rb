# The least of a rack server, to run the README's config.ru: rack.rb FILE PORT
require 'socket'
require 'stringio'

def run(app) = @app = app
load ARGV[0]

server = TCPServer.new('127.0.0.1', ARGV[1].to_i)
loop do
  client = server.accept
  client.gets
  env = {}
  while (line = client.gets.chomp) != ''
    name, value = line.split(': ', 2)
    env["HTTP_#{name.upcase.tr('-', '_')}"] = value
  end
  env['rack.input'] = StringIO.new(client.read(env['HTTP_CONTENT_LENGTH'].to_i))
  status, = @app.call(env)
  $stdout.flush
  client.write "HTTP/1.1 #{status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
  client.close
end
