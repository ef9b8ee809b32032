package mail

import (
	"encoding/base64"
	"strings"
	"testing"
)

// opaque is a mail inside of its signature, as far as anybody reads it: the mail
// is all that a test changes.
func opaque(mail string) string {
	long := func(tag byte, b string) string {
		return string([]byte{tag, 0x83, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}) + b
	}
	encap := long(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"+long(0xa0, long(0x04, mail)))
	return long(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"+long(0xa0, long(0x30, "\x02\x01\x01\x31\x00"+encap+"\x31\x00")))
}

func opaquePart(header, mail string) string {
	return crlf(header+"\nContent-Transfer-Encoding: base64\n\n") + base64.StdEncoding.EncodeToString([]byte(opaque(crlf(mail))))
}

func TestOpaqueSignature(t *testing.T) {
	const (
		signed = "Subject: s\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
		inner  = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name=n.txt\n\nnotes\n--b\n\nhello\n--b\nContent-Type: image/gif; name=a.gif\n\ngif\n--b--\n"
	)
	twice := "Content-Type: application/pkcs7-mime; name=in.p7m\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(opaque(crlf("\nhello"))))
	for _, tt := range []struct{ name, in, text, files string }{
		{"a mail", opaquePart(signed, inner), "hello", "smime.p7m n.txt a.gif"},
		{"of HTML", opaquePart(signed, "Content-Type: text/html\n\n<p>hello"), "hello", "smime.p7m"},
		{"no type of its own", opaquePart("Content-Type: application/octet-stream; name=SMIME.P7M", "\nhello"), "hello", "SMIME.P7M"},
		{"below a footer", crlf("Content-Type: multipart/mixed; boundary=o\n\n--o\n") + opaquePart("Content-Type: application/x-pkcs7-mime; name=smime.p7m", "\nhello") + crlf("\n--o\n\nfooter\n--o--\n"), "hello\nfooter", "smime.p7m"},
		{"twice signed", opaquePart(signed, twice), "hello", "smime.p7m in.p7m"},
		{"says that it is encrypted", opaquePart(strings.Replace(signed, "signed", "enveloped", 1), "\nhello"), "", "smime.p7m"},
		{"is nothing of the kind", crlf(signed + "\n\nhello"), "", "smime.p7m"},
	} {
		m := parse(t, tt.in)
		var files []string
		for _, a := range m.Attachments {
			files = append(files, a.Filename)
		}
		if got := strings.TrimSpace(m.Text); got != tt.text || strings.Join(files, " ") != tt.files {
			t.Errorf("%s: %q and %v, want %q and %s", tt.name, got, files, tt.text, tt.files)
		}
	}
	if m := parse(t, opaquePart(signed, inner)); contentOf(t, m, "n.txt") != "notes" || contentOf(t, m, "a.gif") != "gif" {
		t.Error("the files inside are others")
	}
}

func contentOf(t *testing.T, m *Message, name string) string {
	t.Helper()
	for _, a := range m.Attachments {
		if a.Filename == name {
			return string(readContent(t, a.Filename, a))
		}
	}
	return ""
}
