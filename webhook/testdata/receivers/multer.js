const express = require('express'); // npm install express multer
const multer = require('multer');
const auth = 'Basic ' + Buffer.from('postern:' + process.env.PASSWORD).toString('base64');
const form = multer({ limits: { fieldSize: 64 << 20, fileSize: 64 << 20 } }).any();

const check = (req, res, next) => (req.headers.authorization === auth ? next() : res.sendStatus(401));
express().post('/mail', check, form, (req, res) => {
  const { subject, text, html, envelope } = req.body; // strings; JSON.parse(envelope).to are the recipients
  for (const file of req.files) void [file.originalname, file.mimetype, file.buffer];
  console.log(subject); // your code
  res.sendStatus(200);
}).listen(process.env.PORT);
