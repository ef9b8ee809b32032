package testmail

import (
	"bytes"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/gateway/mail/calendar"
)

const to = "support@in.example.com"

// read makes a template's mail and reads it as the gateway does.
func read(t *testing.T, name string) (Mail, *mail.Message) {
	t.Helper()
	at := time.Date(2026, 5, 4, 10, 30, 0, 0, time.FixedZone("", 2*3600))
	m, err := Make(name, to, at)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := mail.Parse(mail.Bytes(m.Content), mail.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed.Defects) > 0 || !parsed.Date.Equal(at) || parsed.MessageID == "" || len(parsed.To) != 1 || parsed.To[0].Address != to || len(parsed.From) != 1 {
		t.Errorf("%s: %+v", name, parsed)
	}
	if again, err := Make(name, to, at); err != nil || bytes.Equal(m.Content, again.Content) {
		t.Errorf("%s is made the same twice (%v)", name, err)
	}
	for line := range bytes.Lines(m.Content) {
		if len(line) > 998 || !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Errorf("%s: a line of %d octets that ends in %q", name, len(line), line[max(len(line)-2, 0):])
		}
	}
	return m, parsed
}

func content(t *testing.T, a mail.Attachment) []byte {
	t.Helper()
	r, err := a.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReply(t *testing.T) {
	m, p := read(t, "reply")
	r := p.Reply
	if m.From != sender || p.Automatic != "" || strings.TrimSpace(r.Text) != replyText || !strings.Contains(r.Quoted, "does Friday suit you?") || !strings.Contains(r.Signature, "Client GmbH") {
		t.Errorf("from %s, %+v", m.From, r)
	}
	if !slices.Equal(p.InReplyTo, []string{question}) || len(p.References) != 2 || !strings.Contains(p.HTML, "gmail_quote") {
		t.Errorf("answers %v, %v", p.InReplyTo, p.References)
	}
}

func TestBounce(t *testing.T) {
	m, p := read(t, "bounce")
	if m.From != "<>" || p.Automatic != mail.Bounce || p.Report == nil || p.Report.Type != mail.DeliveryStatus || p.Report.MessageID != lost {
		t.Fatalf("from %s, %s, %+v", m.From, p.Automatic, p.Report)
	}
	want := mail.ReportedRecipient{Address: lostTo, Action: "failed", Status: "5.1.1", Diagnostic: "550 5.1.1 <" + lostTo + ">: user unknown", RemoteMTA: "mx.gone.example"}
	if got := p.Report.Recipients; len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAttachments(t *testing.T) {
	_, p := read(t, "attachments")
	var names []string
	for _, a := range p.Attachments {
		names = append(names, a.Disposition+" "+a.Filename+" "+a.ContentType)
	}
	want := []string{"inline logo.png image/png", "attachment order-42.pdf application/pdf", "attachment счёт № 42.csv text/csv", "attachment data.bin application/octet-stream"}
	if !slices.Equal(names, want) {
		t.Fatalf("%q, want %q", names, want)
	}
	if p.Attachments[0].ContentID != imageID || !strings.Contains(p.HTML, "cid:"+imageID) || !strings.Contains(p.Text, "The papers are attached.") {
		t.Errorf("the image is %q in %s", p.Attachments[0].ContentID, p.HTML)
	}
	if _, err := png.Decode(bytes.NewReader(content(t, p.Attachments[0]))); err != nil {
		t.Error(err)
	}
	if pdf := content(t, p.Attachments[1]); !bytes.HasPrefix(pdf, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(pdf, []byte("%%EOF\n")) {
		t.Errorf("the document is %q", pdf)
	}
	if csv := string(content(t, p.Attachments[2])); !strings.Contains(csv, `"чашка, белая",350`) {
		t.Errorf("the table is %q", csv)
	}
	if n := len(content(t, p.Attachments[3])); n != 6000 {
		t.Errorf("%d octets", n)
	}
}

func TestCalendar(t *testing.T) {
	_, p := read(t, "calendar")
	if len(p.Calendar) == 0 {
		t.Fatal("no invitation")
	}
	c := p.Calendar[0]
	if c.Method != "REQUEST" || c.UID == "" || c.Organizer != sender || len(c.Attendees) != 1 || c.Attendees[0] != (calendar.Attendee{Address: to, Answer: "needs-action"}) {
		t.Errorf("%+v", c)
	}
	if !strings.Contains(p.Text, meeting) || len(p.Attachments) == 0 || p.Attachments[len(p.Attachments)-1].Filename != "invite.ics" {
		t.Errorf("%q, %+v", p.Text, p.Attachments)
	}
}

func TestHTML(t *testing.T) {
	_, p := read(t, "html")
	if p.Automatic != mail.Bulk || p.HTML != newsHTML {
		t.Errorf("%s, %q", p.Automatic, p.HTML)
	}
	for _, want := range []string{"Новости мая", "Самовар", "4200", "See the offer", "https://shop.example/may?utm_source=mail", "https://shop.example/unsubscribe"} {
		if !strings.Contains(p.Text, want) {
			t.Errorf("%q is missing in the text:\n%s", want, p.Text)
		}
	}
	if strings.Contains(p.Text, "padding") {
		t.Errorf("style in the text:\n%s", p.Text)
	}
}

// Each template has a test of its own above.
func TestTemplates(t *testing.T) {
	if got := strings.Join(Names(), " "); got != "reply bounce attachments calendar html" {
		t.Errorf("templates without a test: %s", got)
	}
	if _, err := Make("letter", to, time.Now()); err == nil {
		t.Error("what isn't there is made")
	}
}
