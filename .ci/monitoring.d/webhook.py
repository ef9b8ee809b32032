"""A webhook that rejects every seventh mail and never takes one that is stuck, and a directory that knows everybody."""
import http.server
import json
import sys

mails = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global mails
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = 200, b""
        if self.path == "/directory":
            answer = json.dumps({"address": json.loads(body)["address"]}).encode()
        else:
            mails += 1
            status = 503 if b"stuck" in body else 406 if mails % 7 == 0 else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
