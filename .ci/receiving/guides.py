#!/usr/bin/python3
"""guides.py: every receiver of webhook/receivers.md against a running gateway.

  guides.py --postern BINARY --modules DIR [--shared DIR] [--mails N]

Each receiver is a copy endpoint with the settings that its guide shows; all get
odd.py's mails, and N of the corpus in DIR where there is one. Exit 1 unless
every mail was delivered to every receiver and nothing waits or is dead. DIR of
--modules has node_modules with what the guides name.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.request

import check
import corpus
import odd

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent / "guides"
RECEIVERS = TOP / "webhook/testdata/receivers"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

# How each guide's file is run; what isn't a program of its own has one in guides/.
START = {
    "mailbox.rb": ["/usr/bin/puma", "-q", "-e", "production", "-t", "1:1", "-b", "tcp://127.0.0.1:PORT", HERE / "rails.ru"],
    "django_mail.py": ["/usr/bin/python3", HERE / "django_site.py"],
    "laravel.php": ["/usr/bin/php", "-d", "post_max_size=64M", "-d", "memory_limit=512M", "-S", "127.0.0.1:PORT", HERE / "laravel_site.php"],
    "express.js": ["node", "FILE"],
    "multer.js": ["node", "FILE"],
    "fastify.js": ["node", "FILE"],
    "route.mjs": ["node", HERE / "fetch.mjs"],
    "lambda.mjs": ["node", HERE / "fetch.mjs"],
    "fastapi_app.py": ["/usr/bin/python3", "-m", "uvicorn", "--log-level", "warning", "--port", "PORT", "fastapi_app:app"],
    "receiver.go": ["go", "run", "FILE"],
}


def guides():
    """(file, settings) of each guide of the document."""
    text = (TOP / "webhook/receivers.md").read_text()
    for section in re.split(r"(?m)^## ", text)[1:]:
        env = dict(line.split("=", 1) for line in re.search(r"```env\n(.*?)```", section, re.S).group(1).splitlines())
        file = re.search(r"<!-- guide (\S+) -->", section)
        if file:
            yield file.group(1), env
        elif section.startswith("Go\n"):
            yield "receiver.go", env


def endpoint(n, name, env, port, work):
    """The guide's settings as the numbered endpoint's."""
    ours = {}
    for key, value in env.items():
        setting = key.removeprefix("POSTERN_WEBHOOK_")
        if setting == key:
            ours[key] = value
            continue
        if setting == "URL":
            value = re.sub(r"https://[^/]+", f"http://127.0.0.1:{port}", value)
        if setting.endswith("_FILE"):
            value = str(work / "secret")
        ours[f"POSTERN_WEBHOOK_{n}_{setting}"] = value
    return ours | {f"POSTERN_WEBHOOK_{n}_NAME": re.sub(r"[^a-z]+", "-", name), f"POSTERN_WEBHOOK_{n}_COPY": "true", f"POSTERN_WEBHOOK_{n}_CONCURRENCY": "4"}


def start(servers, name, port, work, modules):
    """A copy of the file beside the modules, as in a project."""
    own = work / name.replace(".", "-")
    own.mkdir()
    file = modules / name
    shutil.copy(RECEIVERS / name, file)
    env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")} | dict(
        SECRET=SECRET, PASSWORD=SECRET, RAILS_INBOUND_EMAIL_PASSWORD=SECRET, PORT=str(port), FILE=str(file), DATA=str(own), PYTHONPATH=str(modules), LANG="C.UTF-8", PHP_CLI_SERVER_WORKERS="4")
    args = [str(a).replace("PORT", str(port)).replace("FILE", str(file)) for a in START[name]]
    servers.start(args, env=env, log=work / f"{name}.log")


def metrics(port):
    """(endpoint, result) -> POSTs."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as r:
        found = re.findall(r'postern_webhook_requests_total\{endpoint="([^"]+)",result="([^"]+)"\} (\S+)', r.read().decode())
    return {(e, r): int(float(n)) for e, r, n in found}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--postern", required=True)
    a.add_argument("--modules", required=True, type=pathlib.Path)
    a.add_argument("--shared", type=pathlib.Path)
    a.add_argument("--mails", type=int, default=60)
    a = a.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="guides"))
    (work / "secret").write_text(SECRET)
    (work / "store").mkdir()
    all_guides = list(guides())
    ports = {name: check.free_port() for name, _ in all_guides}
    smtp, http = check.free_port(), check.free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("POSTERN_")} | dict(
        POSTERN_DOMAIN="mx.in.example", POSTERN_SMTP_ADDR=f"127.0.0.1:{smtp}", POSTERN_HTTP_ADDR=f"127.0.0.1:{http}", POSTERN_AUTHENTICATE="false",
        POSTERN_RETRY_STORE=f"sqlite://{work}/store", POSTERN_RETRY_FIRST="300ms")
    for n, (name, settings) in enumerate(all_guides):
        env |= endpoint(n, name, settings, ports[name], work)
    servers, ok = check.Servers(), False
    try:
        for name, _ in all_guides:
            start(servers, name, ports[name], work, a.modules)
        for name, _ in all_guides:
            servers.wait_for(ports[name], 90)
        servers.start([a.postern], env=env, log=work / "postern.log")
        servers.wait_for(smtp)
        mails = [corpus.Mail(f"odd {i}", m, f"odd{i}@in.example") for i, m in enumerate(odd.mails())]
        if a.shared and (a.shared / "corpus").is_dir():
            mails += corpus.choose(a.shared / "corpus", a.mails)
        refused = corpus.send(mails, smtp)
        ok = settled(a.postern, env, http, len(mails)) and not refused
        for mail, reply in refused:
            print(f"REFUSED {mail.path}: {reply}")
        results = metrics(http)
        for name, _ in all_guides:
            label = re.sub(r"[^a-z]+", "-", name)
            mine = {r: n for (e, r), n in results.items() if e == label and n}
            ok = ok and mine.get("delivered") == len(mails)
            print(f"{name:16} {len(mails)} mails: {mine}")
            if mine.get("delivered") != len(mails):
                print((work / f"{name}.log").read_text(errors="replace")[-3000:])
    finally:
        servers.stop()
        if ok or not os.environ.get("KEEP"):
            shutil.rmtree(work, ignore_errors=True)
        else:
            print("kept:", work)
    sys.exit(0 if ok else 1)


def settled(postern, env, http, mails, seconds=120):
    """Wait until nothing waits; False when something still does."""
    end, last = time.time() + seconds, None
    while time.time() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics") as r:
                text = r.read().decode()
        except OSError:
            return False
        last = re.findall(r"(?m)^(postern_retry_(?:queue_deliveries|dead_letters)\S*) (\S+)", text)
        if all(float(n) == 0 for _, n in last):
            return True
        time.sleep(0.5)
    print("after", seconds, "s there waits", last)
    return False


if __name__ == "__main__":
    main()
