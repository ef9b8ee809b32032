package payload

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"postern/gateway/mail"
)

func TestRenamed(t *testing.T) {
	for in, want := range map[string]string{
		"Content-Type: text/plain; charset=windows1251\r\n":                           "Content-Type: text/plain; charset=windows-1251\r\n",
		"Content-Type: text/plain;\r\n\tcharset=\"x-sjis\"; format=flowed\r\n":        "Content-Type: text/plain;\r\n\tcharset=\"cp932\"; format=flowed\r\n",
		"Content-Type: text/html; CharSet = unknown-8bit\r\n":                         "Content-Type: text/html; CharSet = utf-8\r\n",
		"Subject: =?windows1251?B?z/Do4uXy?= =?utf-8?q?a?= =?win-1251*ru?Q?=CF?=\r\n": "Subject: =?windows-1251?B?z/Do4uXy?= =?utf-8?q?a?= =?windows-1251*ru?Q?=CF?=\r\n",
		"Content-Type: text/plain; charset=" + strings.Repeat("x", 300) + "\r\n":      "Content-Type: text/plain; charset=utf-8\r\n",
		"A: " + strings.Repeat("charset=", 3) + "\r\n":                                "A: charset=utf-8\r\n",
		"Content-Type: text/plain; charset=UTF-8\r\n":                                 "",
		"Content-Type: text/plain; charset*=us-ascii''windows1251\r\n":                "",
		"Subject: a=b, =?, charset, =?utf-8?q?x?=\r\n":                                "",
	} {
		got, ok := renamed([]byte(in))
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
}

// A mail whose labels frameworks don't know reaches those that decode it with
// labels that they know, and is the same otherwise.
func TestOddLabels(t *testing.T) {
	const boundary = "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	raw := "Subject: =?windows1251?Q?=CF?=\n" + boundary + "Content-Type: text/plain; charset=\"windows1251\"\nContent-Transfer-Encoding: base64\n\nz/Do4uXy\n" +
		"--b\nContent-Type: text/plain; charset=windows-1251\n\ncharset=windows1251\n--b--\n"
	want := strings.ReplaceAll(strings.Replace(strings.Replace(raw, "=?windows1251", "=?windows-1251", 1), "\"windows1251\"", "\"windows-1251\"", 1), "\n", "\r\n")
	d := eml(t, raw)
	said, err := downgraded(&d)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := said.write(&out); err != nil || out.String() != want || said.size != int64(len(want)) {
		t.Errorf("%q, %d octets, %v", out.String(), said.size, err)
	}
	ses, err := commonInBase64(&d)
	if err != nil {
		t.Fatal(err)
	}
	var coded bytes.Buffer
	if err := ses.write(&coded); err != nil || coded.String() != base64.StdEncoding.EncodeToString([]byte(want)) || int64(coded.Len()) != ses.size {
		t.Errorf("in base64: %q, %d octets, %v", coded.String(), ses.size, err)
	}
	if m, err := mail.Parse(mail.Bytes(out.Bytes()), mail.Limits{}); err != nil || says(t, m) != says(t, d.Message) {
		t.Errorf("was\n%s\nis\n%s, %v", says(t, d.Message), says(t, m), err)
	}
}

// A label is found wherever a file's pieces cut it.
func TestLabelScanner(t *testing.T) {
	const odd, common = "text/plain; charset=\"windows1251\"; a=b\r\n", "text/plain; charset=\"windows-1251\"; a=b\r\n"
	for i := range len(odd) {
		for text, want := range map[string]bool{odd: true, common: false} {
			var s labelScanner
			for _, piece := range []string{strings.Repeat("x", 300), text[:i], text[i:], strings.Repeat("y", 300)} {
				if n, err := s.Write([]byte(piece)); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
			if s.found != want {
				t.Errorf("%q cut at %d: %v", text, i, s.found)
			}
		}
	}
}
