package mail

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestRepairs: damage that real mailers do, and what is read in spite of it.
func TestRepairs(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString([]byte("Grüße aus Köln, schöne Tage!"))
	inner := "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n--b--\r\n"
	for _, tt := range []struct{ name, in, want string }{
		{"words behind base64's padding", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + b64 + " ignored\n", `text="Grüße aus Köln, schöne Tage!\nignored"`},
		{"a footer below padding", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + b64 + "\n-- \nScanned by AV\n", `text="Grüße aus Köln, schöne Tage!\n-- \nScanned by AV"`},
		{"a footer of one word", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + b64 + "\nBest\n", `text="Grüße aus Köln, schöne Tage!\nBest"`},
		{"base64 in two pieces", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\nSGVsbG8=\n", `text="HelloHello"`},
		{"a footer below a file", "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n--\nA list's footer\n", `text="--\nA list's footer" attachment:application/pdf(a.pdf)="%PDF"`},
		{"several Content-Types, the charset in the second", "Content-Type: text/plain\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\xd2\xc9\xd7\xc5\xd4\n", `text="Привет"`},
		{"several Content-Types, one unusable", "Content-Type: foo\nContent-Type: text/html\n\n<p>x</p>\n", `html="<p>x</p>"`},
		{"several Content-Types, the second's boundary is used", "Content-Type: multipart/mixed; boundary=a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n", `text="one"`},
		{"several Content-Types, a name in the second", "Content-Type: application/pdf\nContent-Type: application/pdf; name=a.pdf\n\nx", `attachment:application/pdf(a.pdf)="x"`},
		{"broken folds before Received", "Received: from x\nby y with SMTP\nid 1 for z\nReceived: from q\nSubject: s\nContent-Type: text/html\n\n<p>Hi</p>\n", `html="<p>Hi</p>"`},
		{"blanks inside a name", "Subject: s\nContent Type: text/html\nContent - Transfer - Encoding : base64\n\nPHA+SGk8L3A+\n", `html="<p>Hi</p>"`},
		{"blanks inside the last name", "Subject: s\nMIME Version: 1.0\n\ntext\n", `text="text"`},
		{"a text without a blank line before it", "Subject: s\nHello Ann: how are you?\n\ntext\n", `text="Hello Ann: how are you?\n\ntext"`},
		{"a multipart in base64", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + wrapBase64([]byte(inner)) + "\n", `text="Grüße" attachment:application/pdf(a.pdf)="%PDF"`},
		{"a multipart in a multipart in base64", "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + wrapBase64([]byte(inner)) + "\n--o\n\nlast\n--o--\n",
			`text="Grüße\nlast" attachment:application/pdf(a.pdf)="%PDF"`},
	} {
		in := strings.ReplaceAll(strings.ReplaceAll(tt.in, "\r\n", "\n"), "\n", "\r\n")
		m := parse(t, in)
		got := leaves(t, m)
		if m.HTML != "" { // the text is made of it
			_, rest, _ := strings.Cut(got, "html=")
			got = "html=" + rest
		}
		if got != tt.want || len(m.Defects) == 0 && !strings.Contains(tt.name, "in two pieces") {
			t.Errorf("%s:\n%s\nwant\n%s\n%q", tt.name, got, tt.want, m.Defects)
		}
	}
}
