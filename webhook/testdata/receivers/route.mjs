import { Webhook } from 'standardwebhooks'; // npm install standardwebhooks

export async function POST(request) {
  let mail;
  try {
    const headers = Object.fromEntries(request.headers);
    mail = new Webhook(process.env.SECRET).verify(await request.text(), headers);
  } catch {
    return new Response(null, { status: 401 });
  }
  console.log(mail.message.subject); // your code
  return new Response(null, { status: 204 });
}
