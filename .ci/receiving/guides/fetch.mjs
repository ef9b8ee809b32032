// Serves what a framework would call: the POST of a Next.js route, or a Lambda
// handler behind a function url.
import http from 'node:http';
import { pathToFileURL } from 'node:url';

const { POST, handler } = await import(pathToFileURL(process.env.FILE));
const route = async (req, body) => {
  const headers = new Headers(Object.entries(req.headers));
  const answer = await POST(new Request(`http://127.0.0.1${req.url}`, { method: 'POST', headers, body }));
  return answer.status;
};
const lambda = async (req, body) => {
  const event = { version: '2.0', rawPath: req.url, headers: req.headers, body: body.toString('base64'), isBase64Encoded: true };
  return (await handler(event)).statusCode;
};
http.createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  try {
    res.writeHead(await (handler ? lambda : route)(req, Buffer.concat(chunks))).end();
  } catch (err) {
    console.error(err);
    res.writeHead(500).end();
  }
}).listen(process.env.PORT, '127.0.0.1');
