package report

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"

	"postern/gateway/mail"
	"postern/gateway/text"
	"postern/retry"
)

// readPart is a part of a notification, read as a mail client reads it.
type readPart struct {
	header textproto.MIMEHeader
	body   string
}

func openDSN(t *testing.T, body string) (netmail.Header, []readPart) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" {
		t.Fatalf("%s %v", kind, err)
	}
	var parts []readPart
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, readPart{p.Header, string(b)})
	}
	return m.Header, parts
}

func TestNotification(t *testing.T) {
	env := verified()
	env.DSN = &mail.DSN{EnvID: "order-77\r\nX: y"}
	r, q := startRelay(t, nil), openQueue(t)
	client, err := NewRelay("smtp://"+r.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := report(t, Deps{Relay: client, Messages: q}, bury(t, q, env, testMail), retry.ReasonExpired)
	got := r.mails()
	if seen.of("dsn sent") != 1 || len(got) != 1 || got[0].from != "" || got[0].to[0] != "anna@example.org" {
		t.Fatalf("%v, %+v", seen.seen, got)
	}
	h, parts := openDSN(t, got[0].body)
	if h.Get("To") != "<anna@example.org>" || h.Get("Auto-Submitted") != "auto-replied" || h.Get("References") != "<one@example.org>" || h.Get("Message-Id") == "" {
		t.Errorf("header: %v", h)
	}
	if _, err := h.Date(); err != nil {
		t.Error(err)
	}
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	if !strings.Contains(parts[0].body, "<help@in.example.com>") || !strings.Contains(parts[0].body, "within the time") {
		t.Errorf("words: %s", parts[0].body)
	}
	const status = "Original-Envelope-Id: order-77  X: y\r\nReporting-MTA: dns; mx.example.com\r\nReceived-From-MTA: dns; out.example.org\r\nArrival-Date: Wed, 06 May 2026 07:08:09 +0000\r\n\r\n" +
		"Final-Recipient: rfc822; shop@in.example.com\r\nAction: failed\r\nStatus: 5.4.7\r\nLast-Attempt-Date: Sat, 09 May 2026 07:08:09 +0000\r\n\r\n" +
		"Original-Recipient: rfc822;help@in.example.com\r\nFinal-Recipient: rfc822; help@in.example.com\r\nAction: failed\r\nStatus: 5.4.7\r\nLast-Attempt-Date: Sat, 09 May 2026 07:08:09 +0000\r\n"
	if strings.TrimSpace(parts[1].body) != strings.TrimSpace(status) || parts[1].header.Get("Content-Type") != "message/delivery-status" {
		t.Errorf("status:\n%s", parts[1].body)
	}
	if parts[2].header.Get("Content-Type") != "text/rfc822-headers" || !strings.Contains(parts[2].body, "Subject: Order") || strings.Contains(parts[2].body, "boots") {
		t.Errorf("returned: %v\n%s", parts[2].header, parts[2].body)
	}
	for _, secret := range []string{"crm@in.example.com", "app", "503", "webhook"} {
		if strings.Contains(got[0].body, secret) {
			t.Errorf("the sender learns of %s", secret)
		}
	}
	parsed, err := mail.Parse(mail.Bytes(got[0].body), mail.Limits{})
	if err != nil || parsed.Automatic != mail.Bounce && parsed.Automatic != mail.AutoReplied {
		t.Errorf("read as %q, %v", parsed.Automatic, err)
	}
}

func TestWhatIsReturned(t *testing.T) {
	long := "Subject: x\r\n\r\n" + strings.Repeat("y", maxLine+1) + "\r\n"
	for name, c := range map[string]struct {
		ret, data string
		eightBit  bool
		kind      string
		has, not  string
	}{
		"headers by default":       {"", testMail, true, "text/rfc822-headers", "Subject: Order", "boots"},
		"headers asked for":        {"HDRS", testMail, true, "text/rfc822-headers", "Subject: Order", "boots"},
		"full":                     {"FULL", testMail, false, "message/rfc822", "please.\r\n.\r\n", "\x00"},
		"full, 8bit, relay can":    {"FULL", "Subject: x\r\n\r\nгрузовик\r\n", true, "message/rfc822", "грузовик", "\x00"},
		"full, 8bit, relay can't":  {"FULL", "Subject: x\r\n\r\nгрузовик\r\n", false, "text/rfc822-headers", "Subject: x", "грузовик"},
		"header, 8bit, relay can":  {"", "Subject: груз\r\n\r\n", true, "text/rfc822-headers", "Subject: груз", "\x00"},
		"header, 8bit, can't":      {"", "Subject: груз\r\n\r\n", false, "text/rfc822-headers", "Subject: ????", "груз"},
		"a line too long for SMTP": {"FULL", long, true, "text/rfc822-headers", "Subject: x", "yyy"},
		"a bare LF":                {"FULL", "Subject: x\r\n\r\na\nb\r\n", true, "text/rfc822-headers", "Subject: x", "a\nb"},
		"a bare CR":                {"FULL", "Subject: x\r\n\r\na\rb\r\n", true, "text/rfc822-headers", "Subject: x", "a\rb"},
		"NUL":                      {"FULL", "Subject: x\r\n\r\na\x00b\r\n", true, "text/rfc822-headers", "Subject: x", "\x00"},
		"no body":                  {"", "Subject: x", true, "text/rfc822-headers", "Subject: x", "\x00"},
		"nothing at all":           {"FULL", "", true, "message/rfc822", "", "\x00"},
	} {
		env := verified()
		env.DSN, env.Trace = &mail.DSN{Ret: c.ret}, ""
		n := &notice{domain: "mx.example.com", env: env, to: env.To, wording: undelivered("expired"), raw: mail.Bytes(c.data)}
		var b bytes.Buffer
		if err := n.write(&b, c.eightBit); err != nil {
			t.Fatal(err)
		}
		_, parts := openDSN(t, b.String())
		p := parts[2]
		if p.header.Get("Content-Type") != c.kind || !strings.Contains(p.body, c.has) || strings.Contains(p.body, c.not) {
			t.Errorf("%s: %v %q", name, p.header, p.body)
		}
		if !c.eightBit && !text.IsASCII(b.String()) {
			t.Errorf("%s: octets above 127 for a relay that has no 8BITMIME", name)
		}
	}
}

func TestUTF8Addresses(t *testing.T) {
	env := verified()
	env.UTF8, env.From = true, "анна@example.org"
	env.Verdict.SPF.Domain = "example.org"
	r, q := startRelay(t, nil), openQueue(t)
	client, _ := NewRelay("smtp://"+r.addr, nil)
	seen := report(t, Deps{Relay: client, Messages: q}, bury(t, q, env, testMail), "rejected")
	got := r.mails()
	if seen.of("dsn sent") != 1 || len(got) != 1 || !got[0].utf8 || got[0].to[0] != "анна@example.org" {
		t.Fatalf("%v, %+v", seen.seen, got)
	}
	if _, parts := openDSN(t, got[0].body); parts[1].header.Get("Content-Type") != "message/global-delivery-status" {
		t.Errorf("status part: %v", parts[1].header)
	}
}

// Whatever a client says in its envelope or header, it stays in its place: the
// notification has our header and three parts.
func FuzzNotice(f *testing.F) {
	f.Add("a@example.org", "b@example.com", "", "mx.client.example", "id-1", testMail, false)
	f.Add("\"a\r\nBcc: x\"@example.org", "b\r\n\r\n--x@y", "rfc822;a\r\nb", "h\r\nAction: delivered", "e\n", "X: y\r\n\r\n--=_A--\r\n", true)
	f.Add("ä@example.org", "я@example.com", "utf-8;я", "\x00", "", "\xff\xfe: \x80\r\n\r\n\xff", true)
	f.Fuzz(func(t *testing.T, from, to, orcpt, hello, envid, data string, full bool) {
		env := &mail.Envelope{From: from, Hello: hello, DSN: &mail.DSN{EnvID: envid}, To: []mail.Recipient{{Address: to, ORcpt: orcpt}}}
		if full {
			env.DSN.Ret = "FULL"
		}
		n := &notice{domain: "mx.example.com", env: env, to: env.To, wording: undelivered("rejected"), messageID: envid, raw: mail.Bytes(data)}
		for _, eightBit := range []bool{false, true} {
			var b bytes.Buffer
			if err := n.write(&b, eightBit); err != nil {
				t.Fatal(err)
			}
			h, parts := openDSN(t, b.String())
			if len(parts) != 3 || h.Get("Bcc") != "" || len(h) > 10 {
				t.Errorf("%d parts, header %v", len(parts), h)
			}
			if strings.Count(parts[1].body, "\r\nAction: ") != 1 || strings.Count(parts[1].body, "\r\n\r\n") > 2 {
				t.Errorf("status:\n%q", parts[1].body)
			}
			for line := range strings.Lines(b.String()) {
				if !strings.HasSuffix(line, "\r\n") || strings.Contains(line[:len(line)-2], "\r") || strings.Contains(line, "\x00") {
					t.Errorf("line %q", line)
				}
			}
		}
	})
}
