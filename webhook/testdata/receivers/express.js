const express = require('express'); // npm install express standardwebhooks
const { Webhook } = require('standardwebhooks');
const hook = new Webhook(process.env.SECRET);

// The signature is over the body's octets: no express.json() before this.
express().post('/mail', express.raw({ type: 'application/json', limit: '64mb' }), (req, res) => {
  let mail;
  try {
    mail = hook.verify(req.body, req.headers);
  } catch {
    return res.sendStatus(401);
  }
  console.log(mail.message.subject); // your code
  res.sendStatus(204);
}).listen(process.env.PORT);
