package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern/gateway/mail"
)

// eml parses a mail of our own, written with LF.
func eml(t testing.TB, text string) Delivery {
	t.Helper()
	d := full()
	d.Raw = mail.Bytes(strings.ReplaceAll(text, "\n", "\r\n"))
	m, err := mail.Parse(d.Raw, mail.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d.Message = m
	return d
}

var options = Options{URL: "https://user:pw@hook.example/in/", Secret: "key", At: time.Unix(1700000000, 0), Hostname: "mx.example", Attachments: Inline}

// mails are kinds of mail that have broken some receiver.
var mails = map[string]string{
	"plain":     "From: A B <a@out.example>\nTo: c@in.example\nSubject: Hi\nMessage-ID: <1@x>\n\nHello\n",
	"empty":     "\n",
	"no header": "just text\n",
	"8bit":      "From: a@x\nSubject: caf\xe9\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9 au lait\n",
	"8bit parts": "From: a@x\nSubject: =?utf-8?q?=C3=A9?=\nContent-Type: multipart/mixed; boundary=b\n\npreamble \xe9\n--b\nContent-Type: text/plain; charset=windows-1251\n\n\xcf\xf0\xe8\xe2\xe5\xf2\n" +
		"--b\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n<p>\xe9</p>\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nraw \xe9 and =E9\n" +
		"--b\nContent-Type: message/rfc822\n\nSubject: inner \xe9\nContent-Type: text/plain; charset=iso-8859-1\n\ninner \xe9\n--b\nContent-Type: application/pdf; name=\"\xe9.pdf\"\nContent-Transfer-Encoding: base64\n\nJVBE\xe9Rg==\n--b--\nepilogue \xe9\n",
	"odd": "From: \"Doe, J\" <j@x>, =?utf-8?b?0JjQstCw0L0=?= <i@x>\nFrom: second@x\nSubject: one\nSubject: two\nDate: x\nDate: y\nBad Name: x\nX-Long: a\n b\n\tc\nX-Sep: a\u2028b\u0085c\n\nx\n",
	"attachments": "From: a@x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhi\n--b\nContent-Type: application/octet-stream; name=\"../../etc/passwd\"\nContent-Disposition: attachment\n\nx\n" +
		"--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=\"a \\\"q\\\" \xd0\x96.csv\"\n\n1,2\n--b\nContent-Type: image/png\nContent-ID: <i@x>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n" +
		"--b\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: inner\n\n\xe9\n--b--\n",
	"8bit utf-8": "From: ж@x\nSubject: Привет\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nПривет\n",
}

// Every format keeps Body's promises for every mail, and is UTF-8 where its
// receivers need it to be.
func TestEveryFormat(t *testing.T) {
	for name, text := range mails {
		for _, f := range Formats() {
			d := eml(t, text)
			b, got := written(t, f, d, options)
			binary := f.Name() == "raw" || f.Name() == "cloudevents"
			if !binary && !utf8.Valid(got) && !strings.HasPrefix(b.ContentType, "multipart/") {
				t.Errorf("%s, %s: not UTF-8", f.Name(), name)
			}
			switch {
			case strings.HasPrefix(b.ContentType, "multipart/"):
				readForm(t, b.ContentType, got)
			case !binary && !json.Valid(got):
				t.Errorf("%s, %s: no JSON", f.Name(), name)
			case binary && !bytes.HasSuffix(got, d.Raw.(mail.Bytes)):
				t.Errorf("%s, %s: not the octets", f.Name(), name)
			}
		}
	}
}

func TestSourcesInFiles(t *testing.T) {
	for name, text := range mails {
		d := eml(t, text)
		path := filepath.Join(t.TempDir(), "m")
		if err := os.WriteFile(path, d.Raw.(mail.Bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		inFile := d
		inFile.Raw = file(path)
		for _, f := range Formats() {
			_, want := written(t, f, d, options)
			if _, got := written(t, f, inFile, options); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: another body out of a file", f.Name(), name)
			}
		}
	}
}

type file string

func (f file) Open() (io.ReadSeekCloser, error) { return os.Open(string(f)) }
func (f file) Size() int64                      { st, _ := os.Stat(string(f)); return st.Size() }

type part struct {
	header textproto.MIMEHeader
	name   string
	file   string
	body   string
}

func readForm(t testing.TB, contentType string, body []byte) map[string]part {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	parts := map[string]part{}
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.FileName() == "" && !utf8.Valid(b) {
			t.Errorf("field %s is not UTF-8", p.FormName())
		}
		parts[p.FormName()] = part{p.Header, p.FormName(), p.FileName(), string(b)}
	}
}

func TestPostmark(t *testing.T) {
	d := eml(t, mails["attachments"])
	d.Recipients = []mail.Recipient{{Address: "hidden+t@in.example", Tag: "t"}}
	_, got := written(t, Postmark{}, d, options)
	var p struct {
		RawEmail, OriginalRecipient, MailboxHash, MessageID string
		BccFull                                             []struct{ Email string }
		CcFull                                              []any
		Headers                                             []struct{ Name, Value string }
		Attachments                                         []struct {
			Name, ContentType, ContentID string
			Content                      []byte
			ContentLength                int
		}
	}
	if err := json.Unmarshal(got, &p); err != nil {
		t.Fatal(err)
	}
	if p.OriginalRecipient != "hidden+t@in.example" || p.MailboxHash != "t" || len(p.BccFull) != 1 || p.CcFull == nil || len(p.MessageID) != 36 {
		t.Errorf("%+v", p)
	}
	if p.Headers[0].Name != "Return-Path" || p.Headers[1].Value != "Pass client-ip=192.0.2.9; envelope-from=s@out.example; helo=out.example;" {
		t.Errorf("%+v", p.Headers)
	}
	for _, h := range p.Headers {
		if strings.EqualFold(h.Name, "From") {
			t.Error("From is doubled")
		}
	}
	want := []string{"passwd application/octet-stream ", `a "q" Ж.csv text/csv `, "attachment-3.png image/png i@x", "inner.eml application/octet-stream "}
	for i, a := range p.Attachments {
		if i < len(want) && fmt.Sprint(a.Name, " ", a.ContentType, " ", a.ContentID) != want[i] || len(a.Content) != a.ContentLength {
			t.Errorf("%+v, want %s", a, want[i])
		}
	}
	if len(p.Attachments) != 4 || !strings.HasPrefix(p.RawEmail, "X-Original-To: hidden+t@in.example\r\n") {
		t.Errorf("%d attachments, raw %.60q", len(p.Attachments), p.RawEmail)
	}
}

func TestSendGrid(t *testing.T) {
	d := eml(t, mails["attachments"])
	b, got := written(t, SendGrid{}, d, options)
	p := readForm(t, b.ContentType, got)
	if p["envelope"].body != `{"to":["a+t1@in.example","b@in.example"],"from":"s@out.example"}` || p["attachments"].body != "4" || p["text"].body == "" {
		t.Errorf("%v", p)
	}
	if f := p["attachment2"]; f.file != `a "q" Ж.csv` || f.body != "1,2" {
		t.Errorf("%+v", f)
	}
	if p["content-ids"].body != `{"i@x":"attachment3"}` || !strings.Contains(p["attachment-info"].body, `"content-id":"i@x"`) {
		t.Errorf("%v", p["attachment-info"].body)
	}
	b, got = written(t, SendGridRaw{}, d, options)
	if p := readForm(t, b.ContentType, got); p["email"].body == "" || p["headers"].name != "" || p["email"].file != "" {
		t.Errorf("%v", p)
	}
}

func TestFieldsForPythonsParser(t *testing.T) {
	d := eml(t, mails["odd"])
	seen := map[string]int{}
	for _, f := range fields(d.Message, coded) {
		seen[strings.ToLower(f.name)]++
		if strings.ContainsAny(f.value, "\r\n\u2028\u0085") {
			t.Errorf("%s has line ends: %q", f.name, f.value)
		}
	}
	if seen["from"] != 1 || seen["subject"] != 1 || seen["date"] != 1 || seen["bad name"] != 0 {
		t.Errorf("%v", seen)
	}
	for _, f := range fields(d.Message, coded) {
		if f.name == "From" && !strings.Contains(f.value, `"Doe, J" <j@x>`) {
			t.Errorf("From: %s", f.value)
		}
	}
}

func TestMailgun(t *testing.T) {
	// the vector of Rails' own test
	if got := mailgunSignature("tbsy84uSV1Kt3ZJZELY2TmShPRs91E3yL4tzf96297vBCkDWgL", "1539112500", "7VwW7k6Ak7zcTwoSoNm7aTtbk1g67MKAnsYLfUB7PdszbgR5Xi"); got != "ef24c5225322217bb065b80bb54eb4f9206d764e3e16abab07f0a64d1cf477cc" {
		t.Error(got)
	}
	d := eml(t, mails["attachments"])
	b, got := written(t, Mailgun{}, d, options)
	p := readForm(t, b.ContentType, got)
	if p["timestamp"].body != "1700000000" || len(p["token"].body) != 50 || p["recipient"].body != "a+t1@in.example" {
		t.Errorf("%v", p)
	}
	if p["attachments"].name != "" || p["event"].name != "" || p["attachment-count"].body != "4" || p["content-id-map"].body != `{"<i@x>":"attachment-3"}` {
		t.Errorf("%v", p)
	}
	later := options
	later.At = later.At.Add(time.Hour)
	b, got = written(t, MailgunMIME{}, d, later)
	q := readForm(t, b.ContentType, got)
	if q["token"].body != p["token"].body || q["timestamp"].body == p["timestamp"].body || q["signature"].body == p["signature"].body || q["body-mime"].body == "" {
		t.Errorf("a later attempt: %v", q)
	}
}

func TestMandrill(t *testing.T) {
	if got, _ := mandrillSignature("mandrill-webhook-key", "https://example.com/anymail/mandrill/", ofText("[]").write); got != "yOp9JReYtihaablotIRqYKmxVU0=" {
		t.Error(got)
	}
	d := eml(t, mails["attachments"])
	d.Message.Attachments = append(d.Message.Attachments, d.Message.Attachments[1])
	b, got := written(t, Mandrill{}, d, options)
	p := readForm(t, b.ContentType, got)
	var events []struct {
		Event string
		Msg   struct {
			Raw_msg, Email, Text string
			Attachments, Images  map[string]struct {
				Name, Type string
				Content    []byte
				Base64     bool
			}
			Headers map[string]any
		}
	}
	if err := json.Unmarshal([]byte(p["mandrill_events"].body), &events); err != nil {
		t.Fatal(err)
	}
	m := events[0].Msg
	if len(events) != 1 || m.Email != "a+t1@in.example" || len(m.Attachments) != 4 || len(m.Images) != 1 || !strings.Contains(m.Raw_msg, "passwd") {
		t.Errorf("%+v", m)
	}
	want, _ := mandrillSignature(options.Secret, options.URL, ofText(p["mandrill_events"].body).write)
	if b.Header.Get("X-Mandrill-Signature") != want {
		t.Error(b.Header)
	}
}

func TestCloudMailin(t *testing.T) {
	d := eml(t, mails["attachments"])
	_, got := written(t, CloudMailin{}, d, options)
	for _, want := range []string{`"helo_domain":"out.example"`, `"recipients":["a+t1@in.example","b@in.example"]`, `"file_name":"passwd"`, `"content_id":"i@x"`, `"content_type":"multipart/mixed; boundary=b"`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	d.Links = fakeLinks{}
	small := options
	small.InlineLimit = 100
	if b, got := written(t, CloudMailin{}, d, small); !b.UsesLinks || !bytes.Contains(got, []byte(`"url":"https://mx/`)) {
		t.Errorf("%s", got)
	}
}

func TestSESSNS(t *testing.T) {
	d := eml(t, mails["8bit"])
	b, got := written(t, SESSNS{}, d, options)
	var outer struct{ Type, MessageId, Message string }
	if err := json.Unmarshal(got, &outer); err != nil {
		t.Fatal(err)
	}
	var inner struct {
		NotificationType string
		Receipt          struct {
			Recipients []string
			Action     struct{ Encoding string }
			SPFVerdict struct{ Status string }
		}
		Mail    struct{ Source string }
		Content string
	}
	if err := json.Unmarshal([]byte(outer.Message), &inner); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(inner.Content)
	if err != nil || !bytes.Equal(raw, d.Raw.(mail.Bytes)) {
		t.Errorf("%q, %v", raw, err)
	}
	if b.Header.Get("x-amz-sns-message-id") != outer.MessageId || inner.Receipt.Action.Encoding != "BASE64" || inner.Receipt.SPFVerdict.Status != "PASS" || inner.Mail.Source != "s@out.example" {
		t.Errorf("%+v %+v", b.Header, inner)
	}
}

func TestRawTypes(t *testing.T) {
	d := eml(t, mails["plain"])
	b, got := written(t, Raw{}, d, options)
	if b.ContentType != "message/rfc822" || !strings.HasPrefix(string(got), "X-Original-To: a+t1@in.example\r\nX-Original-To: b@in.example\r\nFrom:") {
		t.Errorf("%s %s", b.ContentType, got)
	}
	laravel := options
	laravel.URL = "https://u:p@app.example/laravel-mailbox/mailcare"
	if b, _ := written(t, Raw{}, d, laravel); b.ContentType != "message/rfc2822" {
		t.Error(b.ContentType)
	}
	b, got = written(t, CloudEvents{}, d, options)
	if !bytes.Equal(got, d.Raw.(mail.Bytes)) {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{"ce-specversion": "1.0", "ce-id": "msg_1", "ce-type": "email.received", "ce-source": "smtp://mx.example/main", "ce-envelopeto": "a+t1@in.example,b@in.example"} {
		if b.Header.Get(name) != want {
			t.Errorf("%s: %q", name, b.Header.Get(name))
		}
	}
	if got := attribute(`Ж "x"%`); got != "%D0%96%20%22x%22%25" {
		t.Error(got)
	}
}

func TestManyAttachments(t *testing.T) {
	d := full()
	d.Message.Attachments = nil
	for i := range 150 {
		d.Message.Attachments = append(d.Message.Attachments, attachment(fmt.Sprint(i, ".txt"), "text/plain", "x"))
	}
	for _, f := range []Format{SendGrid{}, Mailgun{}} {
		b, got := written(t, f, d, options)
		n, whole := 0, false
		for _, p := range readForm(t, b.ContentType, got) {
			if p.file != "" {
				n++
				whole = whole || p.body == string(d.Raw.(mail.Bytes))
			}
		}
		if n != maxFiles || !whole {
			t.Errorf("%s: %d files, the whole message among them: %v", f.Name(), n, whole)
		}
	}
}

func TestAttachmentsLeftOut(t *testing.T) {
	d := eml(t, mails["attachments"])
	o := options
	o.Attachments = Omit
	for _, f := range []Format{Native{}, SendGrid{}, Mailgun{}, CloudMailin{}} {
		if _, got := written(t, f, d, o); bytes.Contains(got, []byte("iVBORw0KGgo=")) || bytes.Contains(got, []byte("\x89PNG")) {
			t.Errorf("%s: content is there", f.Name())
		}
	}
	if _, got := written(t, Postmark{}, d, o); !bytes.Contains(got, []byte(`"Attachments":[]`)) {
		t.Error("postmark: attachments stand beside RawEmail")
	}
	if len(d.Message.Attachments) == 0 {
		t.Error("the message itself was changed")
	}
}

func TestKeyInRotation(t *testing.T) {
	d, one, two := full(), options, options
	two.Secret += " other"
	for _, f := range []Format{Mailgun{}, Mandrill{}} {
		_, a := written(t, f, d, one)
		if _, b := written(t, f, d, two); !bytes.Equal(a, b) {
			t.Errorf("%s: another signature", f.Name())
		}
	}
}

func TestByName(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ByName(f.Name()); err != nil || got != f {
			t.Errorf("%s: %v, %v", f.Name(), got, err)
		}
	}
	if f, err := ByName(""); err != nil || f != (Native{}) {
		t.Error(f, err)
	}
	if _, err := ByName("fax"); err == nil || !strings.Contains(err.Error(), "ses-sns") {
		t.Error(err)
	}
}
