require 'json'
require 'openssl'
KEY = ENV['SECRET'].delete_prefix('whsec_').unpack1('m') # run it with: puma -p 3000 receiver.ru

run lambda { |env|
  body, id, at = env['rack.input'].read, env['HTTP_WEBHOOK_ID'], env['HTTP_WEBHOOK_TIMESTAMP']
  good = 'v1,' + [OpenSSL::HMAC.digest('SHA256', KEY, "#{id}.#{at}.".b + body)].pack('m0')
  signed = env['HTTP_WEBHOOK_SIGNATURE'].to_s.split.any? { |s| OpenSSL.secure_compare(s, good) }
  next [401, {}, []] unless signed && (Time.now.to_i - at.to_i).abs < 300

  puts JSON.parse(body)['message']['subject'] # your code
  $stdout.flush
  [204, {}, []]
}
