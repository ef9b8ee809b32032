#!/usr/bin/python3
"""check.py: send real mail through a running gateway to real webhook receivers.

  check.py --postern BINARY --shared DIR [--mails N] [--keep DIR] [--show N]

DIR holds corpus/ (mails, MANIFEST.json) and receivers/ (Rails Action Mailbox and
django-anymail, whose README names the Debian packages). One gateway gets every
mail by SMTP and copies it to the native format and to each dialect that the
receivers know; what arrives there is compared with the native payload. See
compare.py for what has to be equal. Exit 1 on a mail that is missing or differs.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import compare
import corpus
import sink

RAILS = {  # format -> path, credentials are the receivers' defaults
    "raw": "relay/inbound_emails",
    "postmark": "postmark/inbound_emails",
    "sendgrid-raw": "sendgrid/inbound_emails",
    "mailgun-mime": "mailgun/inbound_emails/mime",
    "mandrill": "mandrill/inbound_emails",
}
PARSED = {"postmark": "postmark/inbound/", "sendgrid": "sendgrid/inbound/", "mailgun": "mailgun/inbound/"}
RAW = {"sendgrid-raw": "sendgrid/inbound/", "mailgun-mime": "mailgun/inbound_mime/", "mandrill": "mandrill/", "ses-sns": "amazon_ses/inbound/"}
SECRETS = {"mailgun": "mailgun-signing-key", "mailgun-mime": "mailgun-signing-key", "mandrill": "mandrill-webhook-key"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def endpoints(ports):
    """(name, format, url) of every webhook."""
    yield "native", "postern", f"http://127.0.0.1:{ports['native']}/"
    for form, path in RAILS.items():
        user = "" if form in ("mandrill", "mailgun-mime") else "actionmailbox:relay-secret@"
        yield f"rails/{form}", form, f"http://{user}127.0.0.1:{ports['rails/' + form]}/rails/action_mailbox/{path}"
    for group, paths in (("parsed", PARSED), ("raw", RAW)):
        for form, path in paths.items():
            yield f"anymail/{form}", form, f"http://anymail:secret@127.0.0.1:{ports[group]}/anymail/{path}"


def settings(ports, work):
    env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")}
    env.update(
        POSTERN_DOMAIN="mx.in.example",
        POSTERN_SMTP_ADDR=f"127.0.0.1:{ports['smtp']}",
        POSTERN_SMTP_MAX_SIZE="100MiB",
        POSTERN_SMTP_BARE_LF="normalize",
        POSTERN_HTTP_ADDR=f"127.0.0.1:{ports['http']}",
        POSTERN_AUTHENTICATE="false",
        POSTERN_RETRY_STORE=f"sqlite://{work}/store",
        POSTERN_RETRY_FIRST="500ms",
        POSTERN_LOG_FORMAT="json",
    )
    for i, (name, form, url) in enumerate(endpoints(ports)):
        env.update({f"POSTERN_WEBHOOK_{i}_{k}": v for k, v in dict(
            NAME=name.replace("/", "-"), FORMAT=form, URL=url, COPY="true", TIMEOUT="25s", CONCURRENCY="1" if name.startswith("rails/") else "4").items()})
        if form in SECRETS:
            env[f"POSTERN_WEBHOOK_{i}_SECRET"] = SECRETS[form]
        if form == "postern":
            env[f"POSTERN_WEBHOOK_{i}_RAW"] = "inline"
            env[f"POSTERN_WEBHOOK_{i}_INLINE_LIMIT"] = "0"
    return env


class Servers:
    def __init__(self):
        self.running = []

    def start(self, args, env=None, log=None):
        out = open(log, "wb")
        self.running.append(subprocess.Popen([str(a) for a in args], env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    def wait_for(self, port, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"nothing listens on port {port} after {seconds} s; see the logs in --keep DIR")

    def stop(self):
        for p in reversed(self.running):
            p.send_signal(signal.SIGTERM)
        for p in self.running:
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()


def arrived(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def lines_of(work):
    """(endpoint, recipient) -> the receivers' lines."""
    found = collections.defaultdict(list)
    for form in RAILS:
        for line in arrived(work / f"rails-{form}.jsonl"):
            for r in line["x_original_to"]:
                found[f"rails/{form}", r.strip()].append(line)
    esps = {"Postmark": "postmark", "SendGrid": "sendgrid", "Mailgun": "mailgun"}
    raws = {"SendGrid": "sendgrid-raw", "Mailgun": "mailgun-mime", "Mandrill": "mandrill", "Amazon SES": "ses-sns"}
    for name, forms in (("parsed", esps), ("raw", raws)):
        for line in arrived(work / f"{name}.jsonl"):
            found[f"anymail/{forms[line['esp']]}", line["envelope_recipient"]].append(line)
    return found


def wait_until_settled(work, want, native, seconds):
    """Wait until everything arrived, or nothing new does for a while."""
    last, since = -1, time.time()
    while time.time() - since < seconds:
        n = len(native) + sum(len(v) for v in lines_of(work).values())
        if n >= want:
            return
        if n != last:
            last, since = n, time.time()
        time.sleep(0.5)


def report(mails, names, native, found, show):
    counts, rules = collections.defaultdict(collections.Counter), collections.Counter()
    failures = []
    for mail in mails:
        payload = native.get(mail.recipient)
        if payload is None:
            failures.append(("native", mail, ["missing"]))
            continue
        for name in names:
            got = found.get((name, mail.recipient), [])
            verdict, differences = compare.compare(name, payload, got)
            counts[name][verdict] += 1
            if verdict == "by rule":
                rules.update(differences)
            if verdict in ("missing", "differs"):
                failures.append((name, mail, differences))
    print(f"{'receiver':24}" + "".join(f"{v:>12}" for v in compare.VERDICTS))
    for name in names:
        print(f"{name:24}" + "".join(f"{counts[name][v]:12}" for v in compare.VERDICTS))
    print("rules:", ", ".join(f"{k} {n}" for k, n in sorted(rules.items())) or "none")
    print(f"{len(mails)} mails, {len(native)} by the native format, {len(failures)} failures")
    for name, mail, differences in failures[:show]:
        print(f"FAILED {name} {mail.path}:", *differences, sep="\n    ")
    return not failures


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--postern", required=True)
    a.add_argument("--shared", required=True, type=pathlib.Path)
    a.add_argument("--mails", type=int, default=240)
    a.add_argument("--show", type=int, default=20)
    a.add_argument("--keep", type=pathlib.Path)
    a = a.parse_args()
    work = a.keep or pathlib.Path(tempfile.mkdtemp(prefix="receivers"))
    shutil.rmtree(work, ignore_errors=True)
    (work / "store").mkdir(parents=True, mode=0o700)
    receivers = a.shared / "receivers"
    # Rails with SQLite locks itself out when several ingresses work at once, so
    # each has a process of its own.
    rails = [f"rails/{form}" for form in RAILS]
    ports = {k: free_port() for k in ["native", "parsed", "raw", "smtp", "http"] + rails}
    servers, collected = Servers(), sink.Sink(ports["native"])
    try:
        for name in rails:
            flat = name.replace("/", "-")
            servers.start([receivers / "rails/start", ports[name], work / f"{flat}.jsonl"], log=work / f"{flat}.log")
        for name in ("parsed", "raw"):
            servers.start([receivers / "django/start", ports[name], work / f"{name}.jsonl"], log=work / f"{name}.log")
        for name in ["parsed", "raw"] + rails:
            servers.wait_for(ports[name])
        servers.start([a.postern], env=settings(ports, work), log=work / "postern.log")
        servers.wait_for(ports["smtp"])
        mails = corpus.choose(a.shared / "corpus", a.mails)
        began = time.time()
        refused = corpus.send(mails, ports["smtp"])
        names = [name for name, form, _ in endpoints(ports) if form != "postern"]
        wait_until_settled(work, len(mails) * (len(names) + 1), collected.payloads, 8)
        print(f"sent and settled in {time.time() - began:.0f} s")
        for mail, reply in refused:
            print(f"REFUSED {mail.path}: {reply}")
        ok = report(mails, names, collected.payloads, lines_of(work), a.show)
    finally:
        servers.stop()
        collected.stop()
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(0 if ok and not refused else 1)


if __name__ == "__main__":
    main()
