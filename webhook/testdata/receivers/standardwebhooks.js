// As receiver.js, with the npm library doing the verification.
const { Webhook } = require(process.env.STANDARDWEBHOOKS + '/standardwebhooks');
const hook = new Webhook(process.env.SECRET);

require('http').createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  try {
    const mail = hook.verify(Buffer.concat(chunks), req.headers);
    res.writeHead(204).end();
    console.log(mail.message.subject);
  } catch {
    res.writeHead(401).end();
  }
}).listen(process.env.PORT);
