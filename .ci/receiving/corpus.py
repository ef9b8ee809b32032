"""Choose mails of a corpus and send them, each to a recipient of its own."""
import collections
import json
import re
import smtplib
from concurrent.futures import ThreadPoolExecutor

# A mail larger than this is for the load tests.
MAX_SIZE = 2 << 20

Mail = collections.namedtuple("Mail", "path octets recipient")


def choose(root, n):
    """n mails, the same each time, in turn from every source, so that the odd
    and malformed ones of small sources are among them."""
    by_source = collections.defaultdict(list)
    for f in json.loads((root / "MANIFEST.json").read_text())["files"]:
        if f.get("mail") and f["size"] <= MAX_SIZE:
            by_source[f["path"].split("/")[0]].append(f)
    for files in by_source.values():
        files.sort(key=lambda f: f["sha256"])
    chosen = []
    while by_source and len(chosen) < n:
        for source in sorted(by_source):
            chosen.append(by_source[source].pop()["path"])
            if not by_source[source]:
                del by_source[source]
    return [Mail(p, wire(root / p), f"mail{i}@in.example") for i, p in enumerate(chosen[:n])]


def wire(path):
    """The file's octets as a client would send them: CRLF only, and each mail
    with a first line of its own, since receivers drop a second of the same."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", path.read_bytes())


def send(mails, port, connections=4):
    """Send all mails; returns (mail, reply) of the refused ones."""
    def run(part):
        refused = []
        with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
            for mail in part:
                try:
                    client.sendmail("sender@out.example", [mail.recipient], mail.octets, ["BODY=8BITMIME"])
                except smtplib.SMTPException as err:
                    refused.append((mail, err))
        return refused

    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(run, [mails[i::connections] for i in range(connections)]), [])
