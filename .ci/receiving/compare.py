"""Hold what a receiver stored against the native payload.

Dialects that carry the parsed mail have to bring subject, addresses, text, html
and attachments equal to the native payload's. Dialects that carry the message
itself have to bring its octets: the receiver parses them by itself, so its own
parse of the native payload's raw octets is what has to be equal. "by rule" are
differences with a name:

  utf8       the message isn't UTF-8, or names a charset in a way that frameworks
             don't know; such parts are encoded anew and such names replaced for
             formats that carry it as text, so the octets differ
  label      and its text isn't in the charset that it says; native finds the real
             one, the receiver believes the label
  address    what has not the form of an address: Postmark's lists leave it out,
             since anymail would fail for ever, and anymail reads no address at
             all of a field that has one
  one from   Postmark's From is one address
  mailbox    the message was stored, and the test receiver's own code then failed
             to decode it: an unknown charset or transfer encoding, or octets that
             its JSON can't hold
"""
import base64
import hashlib
import pathlib
import re

VERDICTS = ("equal", "by rule", "differs", "missing")
PARSED = ("anymail/postmark", "anymail/sendgrid", "anymail/mailgun")


def compare(name, payload, lines):
    """(verdict, differences) of one mail at one receiver."""
    if not lines:
        return ("by rule", ["mailbox"]) if undecodable(name, raw_of(payload)) else ("missing", ["missing"])
    if name.startswith("rails/"):
        return rails(name, payload, lines[0])
    if name in PARSED:
        return parsed(name, payload, lines[0])
    return anymail_raw(payload, lines[0])


def raw_of(payload):
    return base64.b64decode(payload["raw"]["content"])


def is_utf8(octets):
    try:
        octets.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


# The labels of charsets that frameworks know, as the gateway has them.
COMMON = set(re.search(r"Fields\(`([^`]*)`", pathlib.Path("gateway/mail/charset/common.go").read_text())[1].split())


def odd_label(raw):
    """Whether the message names a charset as frameworks don't know it."""
    found = re.findall(rb"(?i)charset[*0 \t]*=[ \t\"']*([^\s\"';>]+)|=\?([^?*\s]+)[?*]", raw)
    return any(label.decode("latin-1").lower() not in COMMON for pair in found for label in pair if label)


def undecodable(name, raw):
    """Whether the receiver's own handler raises on the message."""
    if name.startswith("rails/"):
        codings = re.findall(rb"(?im)^content-transfer-encoding:[ \t]*([^\s;]*)", raw)
        known = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable", b"x-uuencode", b"")
        return any(c.lower() not in known for c in codings) or name == "rails/raw" and not is_utf8(raw)
    if name in PARSED:
        return False
    try:
        python_view(raw)
        return False
    except LookupError:
        return True


# What a service says to its receivers by header fields, here in a stranger's
# words, doesn't reach them: the same list as webhook/payload/claims.go.
ROUTING = (b"x-original-to", b"x-forwarded-to")
CLAIMS = {
    "raw": ROUTING,
    "postmark": ROUTING + (b"return-path", b"x-spam-", b"x-pm-"),
    "sendgrid-raw": ROUTING + (b"return-path", b"x-spam-", b"x-sendgrid-"),
    "mailgun-mime": ROUTING + (b"return-path", b"x-spam-", b"x-mailgun-", b"x-envelope-from"),
    "mandrill": ROUTING + (b"return-path", b"x-spam-", b"x-mandrill-"),
}


def without_claims(name, raw):
    """The message without the fields that its receiver would take for the service's."""
    out, rest, dropping = [], raw, False
    while rest:
        line, eol, rest = rest.partition(b"\n")
        line += eol
        if not line.strip(b"\r\n"):
            return b"".join(out) + line + rest
        if line[:1] not in b" \t":
            dropping = line.partition(b":")[0].strip().lower().startswith(CLAIMS[name.partition("/")[2]])
        if not dropping:
            out.append(line)
    return b"".join(out)


def rails(name, payload, line):
    """Rails stores the message; X-Original-To comes before it."""
    raw, to = without_claims(name, raw_of(payload)), payload["envelope"]["to"][0].encode()
    for eol in (b"\r\n", b"\n"):
        if line["raw_sha256"] == hashlib.sha256(b"X-Original-To: " + to + eol + raw).hexdigest():
            return "equal", []
    if name != "rails/raw" and (not is_utf8(raw) or odd_label(raw)):
        return encoded_anew(payload["message"], line)
    return "differs", [f"stored {line['raw_size']} octets, the message has {len(raw)}"]


def encoded_anew(m, line):
    """Rails' own parse of the encoded message has to find the same leaves."""
    want = {"text": spaces(m["text"]), "html": spaces(m["html"])}
    got = {k: spaces(line[k] or "") for k in want}
    if not got["text"]:  # native makes text of html
        want.pop("text")
    differences = diff(want, got)
    if differences and all("\ufffd" in got[k] for k in want if want[k] != got[k]):
        return "by rule", ["label"]
    return ("differs", differences) if differences else ("by rule", ["utf8"])


def anymail_raw(payload, line):
    raw = raw_of(payload)
    want, got = python_view(raw), {k: line[k] for k in ("subject", "text", "html", "from", "to", "cc")}
    got["attachments"] = sorted(a["sha256"] for a in line["attachments"])
    differences = diff(want, got)
    if not differences:
        return "equal", []
    if not is_utf8(raw):
        return "by rule", ["utf8"]
    return "differs", differences


def python_view(raw):
    """What anymail makes of the octets, by its own code."""
    from anymail.inbound import AnymailInboundMessage
    m = AnymailInboundMessage.parse_raw_mime_bytes(raw)
    parts = list(m.attachments) + list(m.inline_attachments.values())
    return {
        "from": listed(m, "From"), "to": listed(m, "To"), "cc": listed(m, "Cc"),
        "subject": m.subject, "text": m.text, "html": m.html,
        "attachments": sorted(hashlib.sha256(p.get_content_bytes() or b"").hexdigest() for p in parts),
    }


def listed(message, header):
    from anymail.exceptions import AnymailInvalidAddress
    try:
        return [a.addr_spec for a in message.get_address_header(header)]
    except AnymailInvalidAddress:
        return []


def parsed(name, payload, line):
    m = payload["message"]
    want = {
        "subject": spaces(m["subject"]), "text": lines(m["text"]), "html": lines(m["html"]),
        "attachments": sorted(hashlib.sha256(base64.b64decode(a["content"])).hexdigest() for a in m["attachments"]),
    }
    got = {
        "subject": spaces(line["subject"] or ""), "text": lines(line["text"] or ""), "html": lines(line["html"] or ""),
        "attachments": sorted(a["sha256"] for a in line["attachments"]),
    }
    differences, rules = diff(want, got), set()
    for key in ("from", "to", "cc"):
        rule = addresses(name, key, [a["address"] for a in m[key]], line[key])
        if rule == "differs":
            differences.append(f"{key}: native {m[key]}, there {line[key]}")
        elif rule:
            rules.add(rule)
    if differences:
        return "differs", differences
    return ("by rule", sorted(rules)) if rules else ("equal", [])


def addresses(name, key, native, there):
    """"" if equal, else the rule by which they differ, or "differs"."""
    good = [a for a in native if re.fullmatch(r"[^@\s].*@[^@\s.]+(\.[^@\s.]+)*", a)]
    if native == there:
        return ""
    if name == "anymail/postmark":
        if there == good:
            return "address"
        return "one from" if key == "from" and there == good[:1] else "differs"
    return "address" if good != native and there in ([], good) else "differs"


def spaces(s):
    return " ".join(s.split())


def lines(s):
    return s.replace("\r\n", "\n").replace("\r", "\n")


def diff(want, got):
    return [f"{k}: native {short(want[k])}, there {short(got[k])}" for k in want if want[k] != got[k]]


def short(v):
    s = repr(v)
    return s if len(s) < 300 else s[:140] + " … " + s[-140:]
