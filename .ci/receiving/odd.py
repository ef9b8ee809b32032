"""Mails of our own that break what receivers lean on: charsets nobody knows,
octets without a charset, broken structure, headers that are missing or huge.
They are as a client would send them, with CRLF."""
import base64

CYRILLIC = "Привет, мир: счёт во вложении, просим оплатить до пятницы"
LONG = "слово " * 2000


def octets(*lines):
    return b"\r\n".join(l if isinstance(l, bytes) else l.encode() for l in lines) + b"\r\n"


def plain(subject, charset, body, coding="8bit", *more):
    return octets("From: Ann <ann@out.example>", "To: app@in.example", b"Subject: " + (subject if isinstance(subject, bytes) else subject.encode()),
                  *more, f"Content-Type: text/plain; charset={charset}", f"Content-Transfer-Encoding: {coding}", "MIME-Version: 1.0", "", body)


def multipart(kind, *parts, boundary="b", close=True):
    lines = ["From: Ann <ann@out.example>", "To: app@in.example", f"Subject: {kind}", f"Content-Type: multipart/{kind}; boundary={boundary}", "MIME-Version: 1.0", ""]
    for part in parts:
        lines += [f"--{boundary}", part]
    return octets(*lines, *([f"--{boundary}--"] if close else []))


def part(content_type, body, *more):
    return octets(f"Content-Type: {content_type}", *more, "", body)


def mails():
    yield plain("hello", "utf-8", CYRILLIC)
    for label in ("windows1251", "cp-1251", "win-1251", "x-cp1251", "windows-1251", '"WINDOWS-1251"'):
        yield plain(f"labelled {label}", label, CYRILLIC.encode("cp1251"))
        yield plain(f"in base64, labelled {label}", label, base64.b64encode(CYRILLIC.encode("cp1251")), "base64")
    for label, codec in (("koi8", "koi8-r"), ("x-sjis", "cp932"), ("x-gbk", "gbk"), ("x-mac-cyrillic", "mac-cyrillic"), ("windows-874", "cp874"), ("utf8mb4", "utf-8")):
        text = {"cp932": "こんにちは①", "gbk": "你好，请查收", "cp874": "สวัสดี"}.get(codec, "Привет")
        yield plain(f"labelled {label}", label, text.encode(codec))
    for label in ("x-nobody", "unknown-8bit", "8bit", "default", "", "utf-8'", "=", "x" * 300, "iso-2022-kr", "utf-7", "us-ascii"):
        yield plain(f"labelled {label[:20]}", label, b"caf\xe9 na\xefve")
    yield plain(b"raw \xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251", CYRILLIC.encode("cp1251"))
    yield plain("=?windows1251?B?z/Do4uXy?= =?x-nobody?Q?=CF?=", "utf-8", "words")
    yield plain("=?utf-8?B?!!!?= =?utf-8?Q?=ZZ?= =?", "utf-8", "broken words")
    yield plain("no such coding", "utf-8", "as it is", "x-none")
    yield plain("broken base64", "utf-8", b"aGVsbG8gd29ybGQ", "base64")
    yield plain("not base64", "utf-8", b"*** \xff\xfe ***", "base64")
    yield plain("broken quoted-printable", "utf-8", b"=ZZ =C3=A9 =\r\n=", "quoted-printable")
    yield plain("uuencoded", "us-ascii", b"begin 644 a.txt\r\n#0V%T\r\n`\r\nend", "x-uuencode")
    yield plain("NUL " * 3, "utf-8", b"a\0b\x01c")
    yield plain("long lines", "utf-8", LONG)
    yield plain("A" * 5000, "utf-8", "a long subject")
    yield octets("", "no header at all")
    yield octets("Subject: no body")
    yield octets("Subject: nobody sent this to nobody", "", "x")
    yield octets("From: ", "To: ", "Cc: ,,,", "Subject: empty addresses", "", "x")
    yield octets("From: a@b@c, <<d>>, \"unclosed <e@f>", "To: undisclosed-recipients:;", "Reply-To: nobody", "Date: yesterday", "Message-ID: none", "Subject: what is no address", "", "x")
    yield octets("From: a@out.example", "From: b@out.example", "Subject: one", "Subject: two", "To: c@in.example", "To: d@in.example", "", "twice")
    yield octets("From: a@out.example", "To: " + ",\r\n ".join(f"p{i}@in.example" for i in range(300)), "Subject: many", "", "x")
    yield octets("From: a@out.example", "Subject: many fields", *[f"X-Field-{i}: {'v' * 100}" for i in range(500)], "", "x")
    yield octets("From: a@out.example", "Subject: multipart without a boundary", "Content-Type: multipart/mixed", "", "--b", "", "text")
    yield multipart("mixed", part("text/plain", "never closed"), close=False)
    yield multipart("mixed")
    yield multipart("alternative", part("text/plain; charset=windows1251", CYRILLIC.encode("cp1251")), part("text/html; charset=x-nobody", b"<p>caf\xe9</p>"))
    yield multipart("mixed", part("text/plain", "nested"), part("message/rfc822", plain(b"inner \xe9", "windows1251", CYRILLIC.encode("cp1251"))))
    for name in ('"../../etc/passwd"', '""', '"a\\"b.txt"', "utf-8''%D1%81%D1%87%D1%91%D1%82.pdf", '"' + "n" * 400 + '"', '"=?windows1251?B?8frl8g==?="'):
        star = "*" if name.startswith("utf-8'") else ""
        yield multipart("mixed", part("text/plain", "a file"), part(f"application/octet-stream; name{star}={name}", base64.b64encode(b"\0\xff file"),
                        f"Content-Disposition: attachment; filename{star}={name}", "Content-Transfer-Encoding: base64"))
    yield multipart("related", part("text/html", '<img src="cid:x">'), part("image/png", base64.b64encode(b"\x89PNG"), "Content-ID: <x>", "Content-Transfer-Encoding: base64"))
    yield multipart("report; report-type=delivery-status", part("text/plain", "failed"), part("message/delivery-status", "Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1"))
    yield multipart("mixed", part("text/calendar; method=REQUEST; charset=utf-8", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR"))
    deep = b"leaf"
    for i in range(60):
        deep = octets(f"Content-Type: multipart/mixed; boundary=d{i}", "", f"--d{i}", deep, f"--d{i}--")
    yield octets("From: a@out.example", "Subject: sixty deep") + deep
    yield multipart("mixed", *[part("text/plain", f"part {i}") for i in range(150)])
    yield multipart("mixed", part("text/plain", "large"), part("application/octet-stream", base64.encodebytes(bytes(3 << 20)).replace(b"\n", b"\r\n"), "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=large.bin"))
