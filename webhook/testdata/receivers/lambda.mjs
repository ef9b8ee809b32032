import { Webhook } from 'standardwebhooks';

export const handler = async (event) => {
  let mail;
  try {
    const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
    mail = new Webhook(process.env.SECRET).verify(body, event.headers);
  } catch {
    return { statusCode: 401 };
  }
  console.log(mail.message.subject); // your code
  return { statusCode: 204 };
};
