package payload

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern/gateway/mail"
)

// What is not UTF-8 is encoded so that the parser finds the same mail in it.
func TestDowngrade(t *testing.T) {
	for name, text := range mails {
		d := eml(t, text)
		s, err := downgraded(&d)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := s.write(&got); err != nil || int64(got.Len()) != s.size || !utf8.Valid(got.Bytes()) {
			t.Fatalf("%s: %v, %d octets, said %d\n%s", name, err, got.Len(), s.size, got.String())
		}
		if utf8.Valid(d.Raw.(mail.Bytes)) {
			if !bytes.Equal(got.Bytes(), d.Raw.(mail.Bytes)) {
				t.Errorf("%s: changed without a need", name)
			}
			continue
		}
		m, err := mail.Parse(mail.Bytes(got.Bytes()), mail.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := says(t, d.Message), says(t, m); a != b {
			t.Errorf("%s: was\n%s\nis\n%s\nof\n%s", name, a, b, got.String())
		}
	}
}

// says is what of a message must survive a downgrade.
func says(t testing.TB, m *mail.Message) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%q %q %q %q", m.Subject, m.Text, m.HTML, m.From)
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if a.ContentType == "message/rfc822" {
			continue // its own octets change
		}
		sum, err := contentSum(a)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&s, "\n%q %s %d %s", a.Filename, a.ContentType, a.Size, sum)
	}
	return s.String()
}

func FuzzDowngrade(f *testing.F) {
	for _, text := range mails {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := mail.Parse(mail.Bytes(raw), mail.Limits{})
		if err != nil {
			t.Skip()
		}
		s, err := downgraded(&Delivery{Raw: mail.Bytes(raw), Message: m})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := s.write(&got); err != nil || int64(got.Len()) != s.size {
			t.Fatalf("%d octets, said %d, %v", got.Len(), s.size, err)
		}
		if !utf8.Valid(got.Bytes()) {
			t.Fatalf("not UTF-8: %q", got.Bytes())
		}
	})
}

// A hostile mail costs time in proportion to its size.
func TestDowngradeOfHostileMail(t *testing.T) {
	var b strings.Builder
	for i := range 150 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\n\xff\r\n")
	for name, line := range map[string]string{"dashes": "--\r\n", "boundaries": "--b50\r\n\r\n", "closing": "--b99--\r\n", "long line": "--x", "long field": "x\xff", "headers": "--b50\r\n\xff: x\r\n"} {
		d := full()
		d.Raw = mail.Bytes(b.String() + strings.Repeat(line, 4<<20/len(line)))
		start := time.Now()
		s, err := downgraded(&d)
		if err != nil {
			t.Fatal(err)
		}
		var v validator
		if err := s.write(&v); err != nil || v.bad {
			t.Errorf("%s: %v, valid: %v", name, err, !v.bad)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %s for 4 MiB", name, took)
		} else {
			t.Logf("%s: %s", name, took)
		}
	}
}
