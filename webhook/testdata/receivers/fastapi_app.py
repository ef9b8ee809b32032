import base64, hashlib, hmac, json, os, time
from fastapi import FastAPI, Request, Response  # uvicorn fastapi_app:app

app = FastAPI()
KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))

@app.post("/mail")
async def mail(request: Request) -> Response:
    body, h = await request.body(), request.headers
    at = h.get("webhook-timestamp", "0")
    signed = f"{h.get('webhook-id')}.{at}.".encode() + body
    good = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    if abs(time.time() - int(at)) > 300 or not any(hmac.compare_digest(good, s) for s in h.get("webhook-signature", "").split()):
        return Response(status_code=401)
    print(json.loads(body)["message"]["subject"], flush=True)  # your code
    return Response(status_code=204)
