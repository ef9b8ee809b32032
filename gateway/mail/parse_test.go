package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/quotedprintable"
	"runtime"
	"strings"
	"testing"
	"time"

	gomail "github.com/emersion/go-message/mail"
)

func parse(t testing.TB, s string) *Message {
	t.Helper()
	m, err := Parse(Bytes(s), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	checkStrings(t, "mail", m)
	return m
}

// crlf turns the readable form of a test mail into what comes in.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// leaves describes where the leaves of a mail went.
func leaves(t testing.TB, m *Message) string {
	t.Helper()
	var out []string
	if m.Text != "" {
		out = append(out, fmt.Sprintf("text=%q", strings.TrimRight(m.Text, "\n")))
	}
	if m.HTML != "" {
		out = append(out, fmt.Sprintf("html=%q", strings.TrimRight(m.HTML, "\n")))
	}
	for _, a := range m.Attachments {
		out = append(out, fmt.Sprintf("%s:%s(%s)=%.40q", a.Disposition, a.ContentType, a.Filename, readContent(t, a.Filename, a)))
	}
	return strings.Join(out, " ")
}

// part is one part of a test mail.
func part(header, body string) string {
	if header != "" {
		header += "\n"
	}
	return "--b\n" + header + "\n" + body + "\n"
}

// TestStructure holds the rules of what is text, HTML or an attachment.
func TestStructure(t *testing.T) {
	const alternative = "Content-Type: multipart/alternative; boundary=b\n\n"
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
	tests := []struct{ name, in, want string }{
		{"no MIME at all", "Subject: x\n\nhello", `text="hello"`},
		{"html only", "Content-Type: text/html\n\n<p>hello</p>", `text="hello" html="<p>hello</p>"`},
		{"alternative", alternative + part("Content-Type: text/plain", "t") + part("Content-Type: text/html", "<p>h") + "--b--\n", `text="t" html="<p>h"`},
		{"calendar beside text", alternative + part("Content-Type: text/plain", "t") + part("Content-Type: text/calendar; method=REQUEST", "BEGIN:VCALENDAR") + "--b--\n",
			`text="t" attachment:text/calendar()="BEGIN:VCALENDAR"`},
		{"Apple: text, image, text", mixed + part("Content-Type: text/plain", "one") + part("Content-Type: image/png; name=a.png\nContent-Disposition: inline; filename=a.png", "png") +
			part("Content-Type: text/plain", "two") + "--b--\n", `text="one\ntwo" inline:image/png(a.png)="png"`},
		{"text attachment", mixed + part("Content-Type: text/plain", "t") + part("Content-Type: text/plain\nContent-Disposition: attachment; filename=n.txt", "notes") + "--b--\n",
			`text="t" attachment:text/plain(n.txt)="notes"`},
		{"named text without disposition", mixed + part("Content-Type: text/plain", "t") + part("Content-Type: text/plain; name=n.txt", "notes") + "--b--\n",
			`text="t" attachment:text/plain(n.txt)="notes"`},
		{"named first text", mixed + part("Content-Type: text/plain; name=body.txt", "t") + "--b--\n", `text="t"`},
		{"related image", "Content-Type: multipart/related; boundary=b\n\n" + part("Content-Type: text/html", "<img src=cid:1>") + part("Content-Type: image/gif\nContent-ID: <1>", "gif") + "--b--\n",
			`html="<img src=cid:1>" inline:image/gif()="gif"`},
		{"signed", "Content-Type: multipart/signed; boundary=b\n\n" + part("Content-Type: text/plain", "t") + part("Content-Type: application/pkcs7-signature; name=smime.p7s", "sig") + "--b--\n",
			`text="t" attachment:application/pkcs7-signature(smime.p7s)="sig"`},
		{"bounce", "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" + part("Content-Type: text/plain", "failed") + part("Content-Type: message/delivery-status", "Status: 5.1.1") +
			part("Content-Type: message/rfc822", "Subject: mine\n\nwords") + "--b--\n",
			`text="failed" attachment:message/delivery-status()="Status: 5.1.1" attachment:message/rfc822(mine.eml)="Subject: mine\r\n\r\nwords"`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nwords\n--b--\n", `attachment:message/rfc822(one.eml)="Subject: one\r\n\r\nwords"`},
		{"forwarded mail keeps its own boundary", mixed + part("Content-Type: text/plain", "t") + part("Content-Type: message/rfc822", "Content-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--i--") + "--b--\n",
			`text="t" attachment:message/rfc822()="Content-Type: multipart/mixed; boundary="`},
		{"no final boundary", mixed + part("Content-Type: text/plain", "t"), `text="t"`},
		{"inner boundary never closed", mixed + "--b\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nt\n--b\nContent-Type: image/gif\n\ngif\n--b--\n", `text="t" attachment:image/gif()="gif"`},
		{"another boundary than declared", "Content-Type: multipart/mixed; boundary=z\n\n" + part("Content-Type: text/plain", "t") + part("Content-Type: image/gif", "gif") + "--b--\n", `text="t" attachment:image/gif()="gif"`},
		{"no boundary declared", "Content-Type: multipart/mixed\n\n" + part("Content-Type: text/plain", "t") + "--b--\n", `text="t"`},
		{"no boundary anywhere", "Content-Type: multipart/mixed; boundary=b\n\njust text\n", `text="just text"`},
		{"final boundary only", mixed + "text\n--b--\nepilogue\n", `text="text"`},
		{"final boundary before the parts", mixed + "--b--\nContent-Type: text/plain\n\nt\n--b\nContent-Type: image/gif\n\ngif\n--b--\n", `text="t" attachment:image/gif()="gif"`},
		{"a part before the first boundary", mixed + "--B\nContent-Type: text/plain\n\nearly\n" + part("", "t") + "--b--\n", `text="t" attachment:application/octet-stream()="--B\r\nContent-Type: text/plain\r\n\r\nearly"`},
		{"words before an alternative's first boundary", alternative + "hidden\n--x\nContent-Type: text/plain\n\nhidden too\n" + part("Content-Type: text/plain", "t") + part("Content-Type: text/html", "<p>h") + "--b--\n",
			`text="t" html="<p>h" attachment:application/octet-stream()="hidden\r\n--x\r\nContent-Type: text/plain\r\n\r"`},
		{"words before a final boundary that is the first", alternative + "hidden\n--b--\nContent-Type: text/plain\n\nt\n" + part("Content-Type: text/html", "<p>h") + "--b--\n",
			`text="t" html="<p>h" attachment:application/octet-stream()="hidden"`},
		{"blank lines before a final boundary that is the first", alternative + "\n \n--b--\nContent-Type: text/plain\n\nt\n--b--\n", `text="t"`},
		{"preamble and epilogue are no content", mixed + "preamble\n" + part("", "t") + "--b--\nepilogue\n--b\n\nlate\n", `text="t"`},
		{"part without header", mixed + "--b\n\nt\n--b--\n", `text="t"`},
		{"part cut by a boundary", mixed + "--b\nContent-Type: text/plain\n--b\n\nt\n--b--\n", `text="t"`},
		{"nested in one boundary name", mixed + "--b\nContent-Type: multipart/mixed; boundary=b\n\n" + part("", "t") + part("Content-Type: image/gif", "gif") + "--b--\n--b--\n", `text="t" attachment:image/gif()="gif"`},
		{"unusable type", mixed + part("Content-Type: pdf\nContent-Disposition: attachment; filename=a.pdf", "pdf") + "--b--\n", `attachment:application/pdf(a.pdf)="pdf"`},
		{"two types", "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n" + part("", "t") + "--b--\n", `text="t"`},
		{"path in a name", mixed + part("Content-Type: image/gif; name=\"../../etc/passwd\"", "gif") + part("Content-Type: image/gif; name=\"C:\\x\\b.gif\"", "gif") + "--b--\n",
			`attachment:image/gif(passwd)="gif" attachment:image/gif(b.gif)="gif"`},
		{"binary that calls itself text", "Content-Type: text/plain; name=a.gif\nContent-Transfer-Encoding: base64\n\nR0lGAAEC\n", `attachment:text/plain(a.gif)="GIF\x00\x01\x02"`},
		{"text that calls itself base64", "Content-Transfer-Encoding: base64\n\nHello, these are words.\n", `text="Hello, these are words."`},
		{"uuencoded file in a text", "Subject: x\n\nsee\n" + strings.ReplaceAll(uuFile, "\r\n", "\n") + "bye\n", `text="see\nbye" attachment:application/octet-stream(a.txt)="Hello, worl"`},
		{"HTML with a list's footer", mixed + part("Content-Type: text/html", "<p>ship <b>it</b>") + part("Content-Type: text/plain", "a < b") + "--b--\n",
			`text="ship it\na < b" html="<p>ship <b>it</b>\n<div style=\"white-space:pre-wrap\">a &lt; b</div>"`},
		{"text with an HTML disclaimer", mixed + part("Content-Type: text/plain", "t") + part("Content-Type: text/html", "<p>d") + "--b--\n",
			`text="t\nd" html="<div style=\"white-space:pre-wrap\">t</div>\n<p>d"`},
		{"alternative with a footer", mixed + "--b\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\nt\n--i\nContent-Type: text/html\n\n<p>h\n--i--\n" + part("Content-Type: text/plain", "f") + "--b--\n",
			`text="t\nf" html="<p>h\n<div style=\"white-space:pre-wrap\">f</div>"`},
		{"alternative of HTML and a calendar", alternative + part("Content-Type: text/html", "<p>h") + part("Content-Type: text/calendar", "x") + "--b--\n", `text="h" html="<p>h" attachment:text/calendar()="x"`},
		{"named text before the body", mixed + part("Content-Type: text/plain; name=n.txt", "notes") + part("Content-Type: image/gif", "gif") + part("Content-Type: text/plain", "t") + "--b--\n",
			`text="t" attachment:text/plain(n.txt)="notes" attachment:image/gif()="gif"`},
		{"named alternative", alternative + part("Content-Type: text/plain; name=a.txt", "t") + part("Content-Type: text/html", "<p>h") + "--b--\n", `text="t" html="<p>h"`},
		{"single part of another text type", "Content-Type: text/markdown\n\n# t", `text="# t"`},
		{"single calendar", "Content-Type: text/calendar\n\nx", `attachment:text/calendar()="x"`},
		{"no type, a name", mixed + part("Content-Disposition: attachment; filename=a.pdf", "pdf") + "--b--\n", `attachment:application/pdf(a.pdf)="pdf"`},
		{"names that lead elsewhere", mixed + part("Content-Type: a/b; name=\"..\"", "1") + part("Content-Type: a/b; name=\"a/..\"", "2") + part("Content-Type: a/b; name=\"dir/\"", "3") + part("Content-Type: a/b; name=\"a\\b\\c.txt\"", "4") +
			part("Content-Type: a/b; name*=utf-8''fdp%E2%80%AEexe.pdf", "5") + "--b--\n", `attachment:a/b()="1" attachment:a/b()="2" attachment:a/b(dir)="3" attachment:a/b(c.txt)="4" attachment:a/b(fdpexe.pdf)="5"`},
		{"flowed", "Content-Type: text/plain; format=flowed\n\none \ntwo\n> a \n> b\n", `text="one two\n> a b"`},
		{"utf-16", "Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n//5oAGkA\n", `text="hi"`},
		{"meta", "Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n\n<meta charset=koi8-r><p>\xf0\xf2", `text="ПР" html="<meta charset=koi8-r><p>ПР"`},
		{"empty", "", ``},
		{"old Mac line ends", "Subject: x\r\rhello\r", `text="hello"`},
		{"byte order mark", "\xef\xbb\xbfSubject: x\n\nhello", `text="hello"`},
	}
	for _, tt := range tests {
		in := tt.in
		if !strings.Contains(in, "\r") {
			in = crlf(in)
		}
		m := parse(t, in)
		if got := leaves(t, m); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s\n%q", tt.name, got, tt.want, m.Defects)
		}
		fm, err := Parse(fileOf(t, in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := leaves(t, fm); got != tt.want && tt.name != "old Mac line ends" {
			t.Errorf("%s, from a file: %s", tt.name, got)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	for in, want := range map[string]string{
		"<a@b> (x)\r\n <c@d>": "[a@b c@d]", "<<a@b>>": "[a@b]", "< <a@b>": "[a@b]", "<a@b": "[a@b]", "a@b, c@d": "[a@b c@d]", "<>": "[]", "id": "[id]", "your mail of today": "[]",
	} {
		if got := fmt.Sprint(messageIDs(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	m := parse(t, crlf("From: Ann <a@x.org>\nFrom: b@x.org\nSender: s@x.org\nReply-To: r@x.org\nTo: c@x.org\nTo: d@x.org\nCc: e@x.org\nBcc: f@x.org\n"+
		"Subject: =?utf-8?Q?caf=C3=A9?=\nDate: Mon, 02 Nov 2026 10:11:12 +0100\nMessage-ID: <m@x.org>\nIn-Reply-To: <p@x.org>\nReferences: <o@x.org>\n <p@x.org>\nX-Folded: a\n\tb\n\nhi"))
	got := fmt.Sprint(m.From, *m.Sender, m.ReplyTo, m.To, m.Cc, m.Bcc, m.InReplyTo, m.References)
	if want := "[{Ann a@x.org} { b@x.org}] { s@x.org} [{ r@x.org}] [{ c@x.org} { d@x.org}] [{ e@x.org}] [{ f@x.org}] [p@x.org] [o@x.org p@x.org]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m.Subject != "café" || m.MessageID != "m@x.org" || m.Date.Format(time.RFC3339) != "2026-11-02T10:11:12+01:00" {
		t.Errorf("subject %q, id %q, date %v", m.Subject, m.MessageID, m.Date)
	}
	last := m.Headers[len(m.Headers)-1]
	if last.Name != "X-Folded" || last.Value != "a\tb" || string(last.Raw) != " a\r\n\tb" {
		t.Errorf("last header %+v", last)
	}
}

// TestBuiltMail reads what go-message writes.
func TestBuiltMail(t *testing.T) {
	var buf bytes.Buffer
	var h gomail.Header
	h.SetAddressList("From", []*gomail.Address{{Name: "Зоя", Address: "z@x.org"}})
	h.SetSubject("Отчёт, часть 2")
	w, err := gomail.CreateWriter(&buf, h)
	if err != nil {
		t.Fatal(err)
	}
	var th gomail.InlineHeader
	th.Set("Content-Type", "text/plain; charset=utf-8")
	tw, _ := w.CreateSingleInline(th)
	io.WriteString(tw, "Привет\r\n")
	tw.Close()
	var ah gomail.AttachmentHeader
	ah.SetFilename("отчёт.pdf")
	ah.Set("Content-Type", "application/pdf")
	aw, _ := w.CreateAttachment(ah)
	aw.Write([]byte{0, 1, 2, 255})
	aw.Close()
	w.Close()
	m := parse(t, buf.String())
	if got := leaves(t, m); got != `text="Привет" attachment:application/pdf(отчёт.pdf)="\x00\x01\x02\xff"` || m.Subject != "Отчёт, часть 2" || m.From[0] != (Address{Name: "Зоя", Address: "z@x.org"}) || len(m.Defects) > 0 {
		t.Errorf("%s %q %q %q", got, m.Subject, m.From, m.Defects)
	}
}

func TestLimits(t *testing.T) {
	deep := ""
	for i := range 60 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\nContent-Type: image/gif\n\ngif\n", 1200) + "--b--\n"
	tests := []struct {
		name, in, defect, rest string
	}{
		{"depth", deep + "\nthe end", "nested deeper than 50", "the end"},
		{"parts", many, "more than 1000 parts", "--b--"},
		{"header fields", strings.Repeat("X-A: 1\n", 3000) + "Subject: kept\n\nbody", "more than 2000 fields", "X-A: 1"},
		{"header size", "Subject: kept\nX-A: " + strings.Repeat("a", 2<<20) + "\n\nbody", "larger than 1048576", "aaaa"},
		{"text size", "Subject: kept\n\n" + strings.Repeat("text ", 2<<20) + "the end", "is cut", "the end"},
	}
	for _, tt := range tests {
		for _, src := range []Source{Bytes(tt.in), fileOf(t, tt.in)} {
			start := time.Now()
			m, err := Parse(src, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > 10*time.Second { // tens of milliseconds, on a machine of its own
				t.Errorf("%s took %v", tt.name, d)
			}
			if !strings.Contains(strings.Join(m.Defects, "\n"), tt.defect) {
				t.Errorf("%s: defects %q", tt.name, m.Defects)
			}
			found := false
			for _, a := range m.Attachments {
				found = found || bytes.Contains(readContent(t, tt.name, a), []byte(tt.rest))
			}
			if !found {
				t.Errorf("%s: the rest is in none of %d attachments", tt.name, len(m.Attachments))
			}
			if strings.Contains(tt.name, "header") && (m.Subject != "kept" || strings.TrimSpace(m.Text) != "body") {
				t.Errorf("%s: subject %q, text %.20q", tt.name, m.Subject, m.Text)
			}
		}
	}
}

// TestStoredMailMemory: a mail in a file costs the same memory whatever its
// attachments weigh.
func TestStoredMailMemory(t *testing.T) {
	src := fileOf(t, string(benchMixed(8<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Parse(src, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Attachments[0].Content.WriteBase64(io.Discard); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("parsing and writing an 11 MB mail allocated %d octets", n)
	}
}

func TestSourceGone(t *testing.T) {
	if _, err := Parse(fileSource("/nowhere/at/all"), Limits{}); err == nil {
		t.Error("no error from a source that is gone")
	}
	if _, err := Parse(lyingSource{Bytes("Subject: x\r\n\r\nbody")}, Limits{}); err == nil {
		t.Error("no error from a source that is shorter than it says")
	}
}

type lyingSource struct{ Bytes }

func (lyingSource) Size() int64 { return 1000 }

// randomPart writes a random tree of parts and collects the content of its leaves.
func randomPart(r *rand.Rand, depth int, leaf func(text bool, content string)) string {
	if depth > 0 && r.IntN(3) > 0 {
		b := fmt.Sprintf("=_%d_%x", depth, r.Uint32())
		kind := []string{"mixed", "alternative", "related", "signed", "report", "nonsense"}[r.IntN(6)]
		s := "Content-Type: multipart/" + kind + "; boundary=\"" + b + "\"\r\n\r\n"
		for range 1 + r.IntN(3) {
			s += "--" + b + "\r\n" + randomPart(r, depth-1, leaf) + "\r\n"
		}
		if r.IntN(5) > 0 {
			s += "--" + b + "--\r\n"
		}
		return s
	}
	content := fmt.Sprintf("leaf %x ", r.Uint64()) + strings.Repeat("ж=.-", r.IntN(40))
	types := []string{"text/plain; charset=utf-8", "text/html; charset=utf-8", "image/gif", "application/pdf", "text/calendar; charset=utf-8", "message/rfc822", "audio/x", "text/x-unknown", "junk", ""}
	ct := types[r.IntN(len(types))]
	header := ""
	if ct != "" {
		header = "Content-Type: " + ct + "\r\n"
	}
	header += []string{"", "", "Content-Disposition: inline\r\n", "Content-Disposition: attachment; filename=x\r\n", "Content-ID: <a@b>\r\n", "Content-Disposition: junk; filename=\"y\r\n"}[r.IntN(6)]
	leaf(strings.HasPrefix(ct, "text/"), content)
	switch r.IntN(4) {
	case 0:
		return header + "Content-Transfer-Encoding: base64\r\n\r\n" + wrapBase64([]byte(content))
	case 1:
		var q bytes.Buffer
		w := quotedprintable.NewWriter(&q)
		w.Binary = true
		io.WriteString(w, content)
		w.Close()
		return header + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + q.String()
	case 2:
		return header + "Content-Transfer-Encoding: x-none\r\n\r\n" + content
	}
	return header + "\r\n" + content
}

// TestNothingLost: the octets of every leaf of random mails turn up as text,
// HTML or attachment.
func TestNothingLost(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 1))
		var want []string
		mail := "Subject: x\r\n" + randomPart(r, 4, func(_ bool, s string) { want = append(want, s) })
		for _, src := range []Source{Bytes(mail), fileOf(t, mail)} {
			m, err := Parse(src, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			all := m.Text + "\x00" + m.HTML
			for _, a := range m.Attachments {
				all += "\x00" + string(readContent(t, mail, a))
			}
			for _, w := range want {
				if !strings.Contains(all, w) {
					t.Fatalf("seed %d: leaf %q is lost\n%s\n%q", seed, w, mail, m.Defects)
				}
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(crlf("Content-Type: multipart/mixed; boundary=b\n\n" + part("Content-Type: text/plain; charset=koi8-r", "t") + part("Content-Type: image/gif\nContent-Transfer-Encoding: base64", "R0lG") + "--b--\n")))
	f.Add([]byte("Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=C3=A9"))
	f.Add([]byte("From: a\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(winmail(winmailText, "text", winmailFile, "", winmailTitle, "a.txt\x00", winmailData, "first file"))))
	f.Add([]byte("\r\rx\r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(Bytes(b), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		checkStrings(t, "mail", m)
		for _, a := range m.Attachments {
			readContent(t, "mail", a)
		}
		if onlyCR(b) {
			return
		}
		fm, err := Parse(notBytes{Bytes(b)}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if fm.Text != m.Text || fm.HTML != m.HTML || len(fm.Attachments) != len(m.Attachments) || fm.Subject != m.Subject {
			t.Errorf("reads differently from a file: %q %q, %d attachments; %q %q, %d", m.Text, m.HTML, len(m.Attachments), fm.Text, fm.HTML, len(fm.Attachments))
		}
	})
}

// notBytes hides that a source is in memory.
type notBytes struct{ b Bytes }

func (n notBytes) Open() (io.ReadSeekCloser, error) { return n.b.Open() }
func (n notBytes) Size() int64                      { return n.b.Size() }
