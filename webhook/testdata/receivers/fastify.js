const app = require('fastify')({ bodyLimit: 64 << 20 }); // npm install fastify svix
const { Webhook } = require('svix');
const hook = new Webhook(process.env.SECRET);

// The signature is over the body's octets: Fastify must leave them alone.
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (req, body, done) => done(null, body));
app.post('/mail', async (req, reply) => {
  try {
    hook.verify(req.body, req.headers);
  } catch {
    return reply.code(401).send();
  }
  const mail = JSON.parse(req.body);
  console.log(mail.message.subject); // your code
  return reply.code(204).send();
});
app.listen({ port: Number(process.env.PORT) });
