import base64, hashlib, hmac, json, os, time
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))

class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body, h = self.rfile.read(int(self.headers["Content-Length"])), self.headers
        signed = f"{h['webhook-id']}.{h['webhook-timestamp']}.".encode() + body
        good = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        ok = any(hmac.compare_digest(good, s) for s in h.get("webhook-signature", "").split()) and abs(time.time() - int(h["webhook-timestamp"])) < 300
        self.send_response(204 if ok else 401)
        self.end_headers()
        if ok: print(json.loads(body)["message"]["subject"], flush=True)  # your code

HTTPServer(("", int(os.environ["PORT"])), Hook).serve_forever()
