package mail

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// bounded is a Room of so many octets that notes what was asked for.
type bounded struct{ octets, asked int64 }

func (b *bounded) Reach(n int64) bool {
	b.asked = max(b.asked, n)
	return n <= b.octets
}

func TestParseWithin(t *testing.T) {
	text := "Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n" + strings.Repeat("words \xe4\r\n", 10_000)
	files := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: application/pdf; name=f\r\n\r\n%PDF\r\n", 100) + "--b--\r\n"
	for name, raw := range map[string]string{"text": text, "files": files, "header": "To: " + strings.Repeat("a@b.test,\r\n ", 9000) + "c@d\r\n\r\nx"} {
		t.Run(name, func(t *testing.T) {
			src := Bytes(raw)
			var heavy *TooHeavy
			if _, err := ParseWithin(src, Limits{}, &bounded{octets: Least(src)}); !errors.As(err, &heavy) {
				t.Fatalf("read without room: %v", err)
			}
			if heavy.Needs() < 2*int64(len(raw)) {
				t.Errorf("it needs %d octets for a mail of %d", heavy.Needs(), len(raw))
			}
			room := &bounded{octets: heavy.Needs()}
			m, err := ParseWithin(src, Limits{}, room)
			if err != nil {
				t.Fatalf("no room for what it said it needs: %v", err)
			}
			if room.asked > heavy.Needs() {
				t.Errorf("asked for %d, said %d", room.asked, heavy.Needs())
			}
			want, err := Parse(src, Limits{})
			if err != nil || m.Text != want.Text || len(m.Attachments) != len(want.Attachments) || len(m.To) != len(want.To) {
				t.Errorf("read differently: %v", err)
			}
		})
	}
}

// A thousand texts of a mail can't have more of it than two can, each of them
// in the text and in the HTML.
func TestAllTextsTogether(t *testing.T) {
	part := "--b\r\nContent-Type: text/%s\r\n\r\n" + strings.Repeat("0123456789abcde\n", 64) + "\r\n"
	var raw bytes.Buffer
	raw.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n")
	for i := range 100 {
		fmt.Fprintf(&raw, part, []string{"plain", "html"}[i%2])
	}
	raw.WriteString("--b--\r\n")
	m, err := Parse(Bytes(raw.Bytes()), Limits{TextBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.Text) + len(m.HTML); n > 34<<10 || n < 15<<10 {
		t.Errorf("%d octets of text and HTML", n)
	}
	if len(m.Attachments) != 84 {
		t.Errorf("%d attachments hold the rest", len(m.Attachments))
	}
	if len(m.Defects) == 0 || !strings.Contains(m.Defects[0], "is cut") {
		t.Errorf("defects: %q", m.Defects)
	}
}

func TestHead(t *testing.T) {
	small, err := Parse(Bytes("Subject: x\r\nFrom: A <a@b.example>\r\n\r\ntext"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if h := small.Head(); h.Text != "" || h.Reply.Text != "" || len(h.Headers) != 0 || h.Subject != "x" || h.From[0].Address != "a@b.example" {
		t.Errorf("a small one's head: %+v", h)
	}
	large, err := Parse(Bytes("Subject: "+strings.Repeat("s", 5000)+"\r\nFrom: A <a@b.example>\r\nSender: c@d.example\r\nTo: "+strings.Repeat("a@b.example,\r\n ", 9000)+"c@d.example\r\n\r\ntext"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if h := large.Head(); len(h.Headers) != 0 || len(h.To) != 0 || len(h.Subject) > headString+len("…") || h.From[0].Address != "a@b.example" || h.Sender.Address != "c@d.example" {
		t.Errorf("a large one's head: %+v", h)
	}
	if len(large.To) != 9001 || len(large.Headers) != 4 {
		t.Error("the message itself was changed")
	}
}
