package preview

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/webhook"
	"postern/webhook/payload"
)

const signing = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"

// stored is a mail whose subject would do harm in a shell.
func stored(attachment int) *archive.Mail {
	data := "From: Ann <ann@sender.example>\r\nMessage-ID: <$(touch.pwned)@sender.example>\r\nSubject: '; touch pwned; '`id`\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus Köln\r\n" +
		"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\n" + strings.Repeat("x", attachment) + "\r\n--b--\r\n"
	return &archive.Mail{Data: mail.Bytes(data), Envelope: &mail.Envelope{ID: "m1", Key: "k1", Protocol: "ESMTP", From: "ann@sender.example", Verb: mail.VerbMail,
		Received: time.Unix(1767225600, 0), To: []mail.Recipient{{Address: "a@in.example"}, {Address: "b@in.example"}}, Size: int64(len(data))}}
}

func sender(t *testing.T) *webhook.Sender {
	t.Helper()
	s, err := webhook.NewSender(webhook.SenderConfig{Hostname: "mx.example"}, webhook.SenderDeps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// of is the POST of the mail in a format, to an endpoint full of secrets.
func of(t *testing.T, format string, m *archive.Mail) *webhook.Preview {
	t.Helper()
	secret := signing
	if f, _ := payload.ByName(format); f != nil {
		if _, keyed := f.(payload.Keyed); keyed {
			secret = "s3cret-key"
		}
	}
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "app", URL: "https://user:s3cret@app.example/hook?token=s3cret", Format: format, Secret: webhook.Fixed(secret),
		Headers: map[string][]string{"x-api-key": {"s3cret"}}, Attachments: payload.Inline})
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	p, err := Of(sender(t), ep, m, Delivery{ID: "wh1", Attempt: 3, Recipients: []string{"b@in.example"}}, Options{})
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return p
}

// No format's preview shows a secret, or has a mail's text in the shell's line.
func TestNothingSecret(t *testing.T) {
	for _, f := range payload.Formats() {
		p := of(t, f.Name(), stored(100))
		var body strings.Builder
		if err := p.Write(&body); err != nil || int64(body.Len()) != p.Length || body.Len() == 0 {
			t.Errorf("%s: a body of %d octets, announced as %d: %v", f.Name(), body.Len(), p.Length, err)
		}
		pretty, err := Pretty(p, 64<<10)
		curl := Curl(p, "m1.json")
		if err != nil || !strings.Contains(pretty, "touch pwned") {
			t.Errorf("%s: %v\n%s", f.Name(), err, pretty)
		}
		for what, shown := range map[string]string{"url": p.URL, "fields": strings.Join(Fields(p), "\n"), "body": body.String(), "pretty": pretty, "curl": curl} {
			if strings.Contains(shown, "s3cret") || strings.Contains(shown, "c2VjcmV0") {
				t.Errorf("%s: a secret in the %s:\n%s", f.Name(), what, shown)
			}
		}
		if strings.Contains(curl, "pwned") || strings.Contains(curl, "$(") || strings.Contains(curl, "`") {
			t.Errorf("%s: the mail is in the line:\n%s", f.Name(), curl)
		}
	}
}

// A shell reads the command as it is meant, whatever stands in a file's name.
func TestCurlInAShell(t *testing.T) {
	p := of(t, "", stored(1))
	line := Curl(p, "it's $HOME.json")
	out, err := exec.Command("sh", "-c", `curl() { printf '%s\n' "$@"; }; `+line).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	args := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{"--request", "POST", "https://app.example/hook?…"}
	for _, f := range Fields(p) {
		want = append(want, "--header", f)
	}
	want = append(want, "--data-binary", "@it's $HOME.json")
	if fmt.Sprint(args) != fmt.Sprint(want) {
		t.Errorf("the shell reads\n%q, want\n%q", args, want)
	}
	for _, has := range []string{"Webhook-Attempt: 3", "Webhook-Id: wh1", "Webhook-Signature: [hidden]", "X-Api-Key: [hidden]", "Content-Type: application/json", "Authorization: Basic [hidden]"} {
		if !strings.Contains(line, has) {
			t.Errorf("no %q in\n%s", has, line)
		}
	}
}

// A large attachment is told, not shown, and the JSON stays JSON.
func TestPrettyIsShort(t *testing.T) {
	p := of(t, "", stored(1<<20))
	pretty, err := Pretty(p, 64<<10)
	if err != nil || len(pretty) > 8<<10 || !json.Valid([]byte(pretty)) || !strings.Contains(pretty, "octets more)") || !strings.Contains(pretty, "Grüße aus Köln") ||
		!strings.Contains(pretty, `"b@in.example"`) {
		t.Errorf("%v, %d octets:\n%s", err, len(pretty), pretty)
	}
	if short, err := Pretty(p, 200); err != nil || !strings.HasSuffix(short, fmt.Sprintf("… (%d octets in all)", p.Length)) {
		t.Errorf("%v: %s", err, short)
	}
	form, err := Pretty(of(t, "sendgrid", stored(1<<20)), 64<<10)
	if err != nil || len(form) > 8<<10 || !strings.Contains(form, `file "a.pdf", application/pdf, 1048576 octets`) || !strings.Contains(form, "subject: '; touch pwned; '`id`\n") {
		t.Errorf("%v:\n%s", err, form)
	}
	raw, err := Pretty(of(t, "raw", stored(2<<20)), 64<<10)
	if err != nil || len(raw) > 65<<10 || strings.Contains(raw, "\r") {
		t.Errorf("%v: %d octets", err, len(raw))
	}
}

// Content by url is shown without what opens it.
func TestLinks(t *testing.T) {
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "app", URL: "https://app.example/", Attachments: payload.URL, Raw: payload.URL})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Of(sender(t), ep, stored(10), Delivery{ID: "wh1", Recipients: []string{"a@in.example"}}, Options{PublicURL: "https://mail.example/"})
	if err != nil {
		t.Fatal(err)
	}
	pretty, err := Pretty(p, 64<<10)
	for _, has := range []string{"https://mail.example/content/m1/raw/[hidden]/m1.eml", "https://mail.example/content/m1/0/[hidden]/a.pdf"} {
		if err != nil || !strings.Contains(pretty, has) {
			t.Errorf("%v: no %s in\n%s", err, has, pretty)
		}
	}
}

// FuzzShortener: what was JSON stays JSON, and no string of it is long.
func FuzzShortener(f *testing.F) {
	for _, s := range []string{`{"a":"b\"c"}`, `["\\", "é", "\u0041"]`, `"`, `{"a":"` + strings.Repeat(`\u0001`, 600) + `"}`, `"` + strings.Repeat("ü", 1200) + `"`,
		`"` + strings.Repeat(`\\`, 1100) + `"`, `"` + strings.Repeat("QUJD", 1000) + `"`} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, s string, times int) {
		s = strings.Repeat(s, max(times%64, 1))
		pretty, err := prettyJSON(func(w io.Writer) error { _, err := io.WriteString(w, s); return err })
		if err != nil || json.Valid([]byte(s)) && !json.Valid([]byte(pretty)) {
			t.Errorf("%v: %q became %q", err, s, pretty)
		}
		var v string
		if json.Unmarshal([]byte(pretty), &v) == nil && len(v) > shownValue*3+100 {
			t.Errorf("a string of %d octets", len(v))
		}
	})
}

// A body's file is named by its format, and by nothing that a shell or a folder
// takes for more than a name.
func TestFile(t *testing.T) {
	for _, c := range []struct{ id, media, want string }{
		{"0m1-a", "application/json; charset=utf-8", "0m1-a.json"}, {"0m1", "multipart/form-data; boundary=x", "0m1.body"},
		{"0m1", "message/rfc822", "0m1.body"}, {"../a'b", "application/json", "___a_b.json"},
	} {
		if got := File(c.id, &webhook.Preview{Header: http.Header{"Content-Type": {c.media}}}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.id, c.media, got, c.want)
		}
	}
}
