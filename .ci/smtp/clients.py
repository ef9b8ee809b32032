#!/usr/bin/env python3
"""Real clients against a running postern: each sends a mail of its own, and
the mail must arrive at a webhook as it was sent, once.

A check is a function; it gets a World and sends with the subject it is given.
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time

USER, PASSWORD = "ann", "correct horse"
FROM, TO = "ann@client.example", "bob@here.example"
TEXT = "A line.\n.\n..two dots\n.hidden\n" + "x" * 900 + "\nlast"


class Webhook:
    """Takes native payloads and keeps them by subject."""

    def __init__(self):
        self.got, self.lock = {}, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.lock:
                    outer.got.setdefault(body["message"]["subject"], []).append(body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/" % self.server.server_port

    def wait(self, subject, count=1, seconds=20):
        end = time.time() + seconds
        while time.time() < end:
            with self.lock:
                if len(self.got.get(subject, [])) >= count:
                    return self.got[subject]
            time.sleep(0.02)
        raise AssertionError(f"no mail with the subject {subject!r} came to the webhook")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


def scram_record(password):
    salt, n = b"0123456789abcdef", 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, n)
    mac = lambda text: __import__("hmac").new(salted, text, "sha256").digest()
    b64 = lambda b: base64.b64encode(b).decode()
    stored = hashlib.sha256(mac(b"Client Key")).digest()
    return f"SCRAM-SHA-256${n}:{b64(salt)}${b64(stored)}:{b64(mac(b'Server Key'))}"


class World:
    """postern twice (the second behind a proxy), a webhook, certificates."""

    def __init__(self, postern, work):
        self.work, self.hook, self.processes = pathlib.Path(work), Webhook(), []
        self.cert, key = self.work / "cert.pem", self.work / "key.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", self.cert)
        users = self.work / "users"
        users.write_text(f"{USER}:{scram_record(PASSWORD)}\n")
        users.chmod(0o600)
        self.smtp, self.smtps, self.lmtp, self.proxied = (free_port() for _ in range(4))
        self.unix = str(self.work / "lmtp.sock")
        common = {
            "POSTERN_WEBHOOK_URL": self.hook.url, "POSTERN_RECIPIENTS": "*@here.example", "POSTERN_DOMAIN": "localhost",
            "POSTERN_HTTP_ADDR": "127.0.0.1:0", "POSTERN_RETRY_STORE": "off", "POSTERN_AUTHENTICATE": "false",
            "POSTERN_TLS_CERT_FILE": str(self.cert), "POSTERN_TLS_KEY_FILE": str(key), "POSTERN_TLS_MODE": "offer",
            "POSTERN_USERS_FILE": str(users), "POSTERN_LOG_LEVEL": "warn", "POSTERN_SPOOL_DIR": str(self.work),
        }
        self.start(postern, common, POSTERN_SMTP_ADDR=f"127.0.0.1:{self.smtp}", POSTERN_SMTPS_ADDR=f"127.0.0.1:{self.smtps}",
                   POSTERN_LMTP_ADDR=f"127.0.0.1:{self.lmtp}")
        self.start(postern, common, POSTERN_SMTP_ADDR=f"127.0.0.1:{self.proxied}", POSTERN_PROXY_FROM="127.0.0.0/8",
                   POSTERN_LMTP_ADDR=f"unix:{self.unix}")
        for port in (self.smtp, self.smtps, self.lmtp, self.proxied):
            wait_port(port)

    def start(self, postern, common, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
        self.processes.append(subprocess.Popen([postern, "serve"], env=env | common | more))

    def stop(self):
        for p in self.processes:
            p.terminate()
        codes = [p.wait(20) for p in self.processes]
        assert codes == [0] * len(codes), f"postern ended with {codes}"

    def eml(self, subject, to=TO):
        f = self.work / (subject.replace(" ", "-") + ".eml")
        text = f"From: {FROM}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{time.time_ns()}@client.example>\n\n{TEXT}\n"
        f.write_bytes(text.replace("\n", "\r\n").encode())
        return f


def run(*args, stdin=None, cwd=None):
    p = subprocess.run([str(a) for a in args], input=stdin, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if p.returncode != 0:
        raise AssertionError(f"{args[0]} exits {p.returncode}:\n{p.stdout.decode(errors='replace')[-3000:]}")
    return p.stdout.decode(errors="replace")


def swaks(w, subject, *args, port=None):
    """swaks, which does no dot-stuffing mistakes of its own: the data is a file's."""
    server = [] if "--socket" in args else ["--server", f"127.0.0.1:{port or w.smtp}"]
    return run("swaks", *server, "--from", FROM, "--to", TO, "--data", "@" + str(w.eml(subject)), *args)


def auth(kind):
    return ["--auth", kind, "--auth-user", USER, "--auth-password", PASSWORD]


def swaks_plain(w, s): swaks(w, s)
def swaks_helo(w, s): swaks(w, s, "--protocol", "SMTP")
def swaks_pipelining(w, s): assert "PIPELINING" in swaks(w, s, "--pipeline")
def swaks_starttls(w, s): assert "TLS started" in swaks(w, s, "--tls")
def swaks_smtps(w, s): swaks(w, s, "--tls-on-connect", port=w.smtps)
def swaks_auth_plain(w, s): assert " 235 " in swaks(w, s, "--tls", *auth("PLAIN"))
def swaks_auth_login(w, s): assert " 235 " in swaks(w, s, "--tls", *auth("LOGIN"))
def swaks_lmtp(w, s): swaks(w, s, "--protocol", "LMTP", port=w.lmtp)
def swaks_lmtp_unix(w, s): swaks(w, s, "--protocol", "LMTP", "--socket", w.unix)


def swaks_proxy_1(w, s):
    swaks(w, s, "--proxy-version", "1", "--proxy-family", "TCP4", "--proxy-source", "192.0.2.7", "--proxy-source-port", "4321",
          "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25", port=w.proxied)
    return {"client": "192.0.2.7"}


def swaks_proxy_2(w, s):
    swaks(w, s, "--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM", "--proxy-command", "PROXY",
          "--proxy-source", "192.0.2.8", "--proxy-source-port", "4321", "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25", port=w.proxied)
    return {"client": "192.0.2.8"}


def curl(w, s, url, *args):
    run("curl", "-sS", "--url", url, "--mail-from", FROM, "--mail-rcpt", TO, "--upload-file", w.eml(s), *args)


def curl_plain(w, s): curl(w, s, f"smtp://127.0.0.1:{w.smtp}/client.example")
def curl_starttls_auth(w, s): curl(w, s, f"smtp://localhost:{w.smtp}", "--ssl-reqd", "--cacert", w.cert, "--user", f"{USER}:{PASSWORD}")
def curl_smtps(w, s): curl(w, s, f"smtps://localhost:{w.smtps}", "--cacert", w.cert)


def smtplib_send(w, s, c):
    with c:
        assert c.sendmail(FROM, [TO], w.eml(s).read_bytes()) == {}


def smtplib_plain(w, s): smtplib_send(w, s, smtplib.SMTP("127.0.0.1", w.smtp))
def smtplib_lmtp(w, s): smtplib_send(w, s, smtplib.LMTP("127.0.0.1", w.lmtp))
def smtplib_lmtp_unix(w, s): smtplib_send(w, s, smtplib.LMTP(w.unix))


def smtplib_smtps(w, s):
    smtplib_send(w, s, smtplib.SMTP_SSL("localhost", w.smtps, context=ssl.create_default_context(cafile=w.cert)))


def smtplib_starttls_login(w, s):
    c = smtplib.SMTP("localhost", w.smtp)
    c.starttls(context=ssl.create_default_context(cafile=w.cert))
    c.login(USER, PASSWORD)
    smtplib_send(w, s, c)


def smtplib_utf8(w, s):
    with smtplib.SMTP("127.0.0.1", w.smtp) as c:
        c.ehlo()
        c.sendmail("ännä@client.example", ["bøb@here.example"], w.eml(s).read_bytes(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    return {"to": "bøb@here.example"}


def smtplib_refused(w, s):
    """A recipient that isn't ours is refused, the other gets the mail."""
    with smtplib.SMTP("127.0.0.1", w.smtp) as c:
        refused = c.sendmail(FROM, ["who@elsewhere.example", TO], w.eml(s).read_bytes())
    assert list(refused) == ["who@elsewhere.example"] and refused["who@elsewhere.example"][0] in (550, 551, 554), refused


NODE = """
const nodemailer = require('nodemailer');
const [port, secure, cert, user, pass, subject, text, from, to] = process.argv.slice(2);
const t = nodemailer.createTransport({host: 'localhost', port: +port, secure: secure === 'true', requireTLS: user !== '' && secure !== 'true',
  ignoreTLS: user === '' && secure !== 'true', tls: {ca: require('fs').readFileSync(cert)}, auth: user ? {user, pass} : undefined});
t.sendMail({from, to, subject, text}).then(i => { console.log(i.response); t.close(); }, e => { console.error(e); process.exit(1); });
"""


def node(w, s, port, secure, user):
    (w.work / "send.js").write_text(NODE)
    run("node", "send.js", port, secure, w.cert, user, PASSWORD, s, TEXT, FROM, TO, cwd=w.work)


def nodemailer_plain(w, s): node(w, s, w.smtp, "false", "")
def nodemailer_starttls_auth(w, s): node(w, s, w.smtp, "false", USER)
def nodemailer_smtps(w, s): node(w, s, w.smtps, "true", "")


def msmtp(w, s, *args):
    run("msmtp", "--file=/dev/null", "--host=localhost", f"--from={FROM}", *args, TO, stdin=w.eml(s).read_bytes())


def msmtp_plain(w, s): msmtp(w, s, f"--port={w.smtp}", "--tls=off", "--auth=off")
def msmtp_lmtp(w, s): msmtp(w, s, f"--port={w.lmtp}", "--protocol=lmtp", "--tls=off")


def msmtp_auth(mechanism):
    def check(w, s):
        msmtp(w, s, f"--port={w.smtp}", "--tls=on", f"--tls-trust-file={w.cert}", f"--auth={mechanism}", f"--user={USER}",
              "--passwordeval=printf %s '" + PASSWORD + "'")
    check.__name__ = "msmtp_auth_" + mechanism.replace("-", "_")
    return check


class Postfix:
    """Debian's Postfix in a folder of its own, that relays all mail to us."""

    MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

    def __init__(self, w, transport, **settings):
        self.dir = w.work / ("postfix-" + transport.split(":")[0] + str(free_port()))
        self.port = free_port()
        for sub in ("etc", "queue", "data"):
            (self.dir / sub).mkdir(parents=True)
        shutil.chown(self.dir / "data", "postfix")
        main = {
            "compatibility_level": "3.6", "queue_directory": self.dir / "queue", "data_directory": self.dir / "data", "mail_owner": "postfix",
            "command_directory": "/usr/sbin", "daemon_directory": "/usr/lib/postfix/sbin", "inet_interfaces": "loopback-only", "inet_protocols": "ipv4",
            "myhostname": "relay.client.example", "mydestination": "", "mynetworks": "127.0.0.0/8", "default_transport": transport,
            "relay_transport": transport, "smtpd_recipient_restrictions": "permit_mynetworks,reject", "smtp_dns_support_level": "disabled",
            "maillog_file": self.dir / "mail.log", "maillog_file_prefixes": self.dir, "alias_maps": "", "alias_database": "", "biff": "no",
            "smtp_host_lookup": "native", "multi_instance_enable": "no", "minimal_backoff_time": "5s", "queue_run_delay": "5s",
        } | settings
        (self.dir / "etc/main.cf").write_text("".join(f"{k} = {v}\n" for k, v in main.items()))
        (self.dir / "etc/master.cf").write_text(self.MASTER.format(port=f"127.0.0.1:{self.port}"))

    def __enter__(self):
        run("postfix", "-c", self.dir / "etc", "start")
        wait_port(self.port)
        return self

    def __exit__(self, kind, *rest):
        if kind and (self.dir / "mail.log").exists():
            print((self.dir / "mail.log").read_text()[-3000:])
        run("postfix", "-c", self.dir / "etc", "stop")


def postfix(w, s, transport, **settings):
    """Three mails, the last to three recipients; each leaves the queue."""
    with Postfix(w, transport, **settings) as p:
        for i in (1, 2):
            with smtplib.SMTP("127.0.0.1", p.port) as c:
                c.sendmail(FROM, [TO], w.eml(f"{s} {i}").read_bytes())
        with smtplib.SMTP("127.0.0.1", p.port) as c:
            c.sendmail(FROM, [TO, "carl@here.example", "dora@here.example"], w.eml(s).read_bytes())
        for subject in (f"{s} 1", f"{s} 2", s):
            w.hook.wait(subject)
        log = p.dir / "mail.log"
        end = time.time() + 10
        while log.read_text().count("status=sent") < 5 and time.time() < end:
            time.sleep(0.05)
        text = log.read_text()
        assert text.count("status=sent") == 5, text
        assert "status=deferred" not in text and "status=bounced" not in text, text


def postfix_smtp(w, s): postfix(w, s, f"smtp:[127.0.0.1]:{w.smtp}", smtp_tls_security_level="none")
def postfix_smtp_tls(w, s): postfix(w, s, f"smtp:[127.0.0.1]:{w.smtp}", smtp_tls_security_level="encrypt")
def postfix_lmtp(w, s): postfix(w, s, f"lmtp:inet:127.0.0.1:{w.lmtp}")
def postfix_lmtp_unix(w, s): os.chmod(w.unix, 0o666) or postfix(w, s, f"lmtp:unix:{w.unix}")


CHECKS = [
    swaks_plain, swaks_helo, swaks_pipelining, swaks_starttls, swaks_smtps, swaks_auth_plain, swaks_auth_login, swaks_lmtp, swaks_lmtp_unix,
    swaks_proxy_1, swaks_proxy_2, curl_plain, curl_starttls_auth, curl_smtps, smtplib_plain, smtplib_lmtp, smtplib_lmtp_unix, smtplib_smtps,
    smtplib_starttls_login, smtplib_utf8, smtplib_refused, nodemailer_plain, nodemailer_starttls_auth, nodemailer_smtps, msmtp_plain, msmtp_lmtp,
    msmtp_auth("plain"), msmtp_auth("login"), msmtp_auth("scram-sha-256"), postfix_smtp, postfix_smtp_tls, postfix_lmtp, postfix_lmtp_unix,
]


def examine(w, check, subject, facts):
    """The mail is there once, whole, and is said to come from who sent it."""
    mails = w.hook.wait(subject)
    envelope, message = mails[0]["envelope"], mails[0]["message"]
    assert len(mails) == 1, f"{len(mails)} times"
    assert message["text"].replace("\r\n", "\n").rstrip("\n") == TEXT, f"text {message['text']!r}"
    assert envelope["to"][0] == facts.get("to", TO), envelope
    if "client" in facts:
        assert envelope["client"]["ip"] == facts["client"], envelope
    if any(word in check.__name__ for word in ("auth", "login")):
        assert envelope["auth"] == USER, envelope
    if any(word in check.__name__ for word in ("tls", "smtps", "auth")):
        assert envelope["tls"], envelope


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--postern", required=True)
    args.add_argument("--work", required=True)
    args.add_argument("--only", default="")
    a = args.parse_args()
    w, failed = World(a.postern, a.work), []
    try:
        for check in CHECKS:
            if a.only not in check.__name__:
                continue
            subject = "via " + check.__name__.replace("_", " ")
            try:
                examine(w, check, subject, check(w, subject) or {})
                print("ok  ", check.__name__, flush=True)
            except Exception as e:
                failed.append(check.__name__)
                print("FAIL", check.__name__, "-", e, flush=True)
    finally:
        w.stop()
    print(f"{len(CHECKS) - len(failed)} of {len(CHECKS)} clients" if not a.only else "")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
