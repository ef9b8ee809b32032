const http = require('http'), crypto = require('crypto');
const key = Buffer.from(process.env.SECRET.replace('whsec_', ''), 'base64');

http.createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks), id = req.headers['webhook-id'], at = req.headers['webhook-timestamp'];
  const good = 'v1,' + crypto.createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest('base64');
  const same = (s) => s.length === good.length && crypto.timingSafeEqual(Buffer.from(s), Buffer.from(good));
  const ok = (req.headers['webhook-signature'] || '').split(' ').some(same) && Math.abs(Date.now() / 1000 - at) < 300;
  res.writeHead(ok ? 204 : 401).end();
  if (ok) console.log(JSON.parse(body).message.subject); // your code
}).listen(process.env.PORT);
