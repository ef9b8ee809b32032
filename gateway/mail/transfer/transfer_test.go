package transfer

import (
	"bytes"
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := map[string]Encoding{
		"base64": Base64, "BASE64": Base64, ` "base64" `: Base64, "base64;": Base64, "x-base64": Base64,
		"quoted-printable": QuotedPrintable, "Quoted Printable": QuotedPrintable, "quoted_printable": QuotedPrintable,
		"x-uuencode": UU, "uuencode": UU, "x-uue": UU,
		"7bit": Identity, "8-bit": Identity, "8bit;": Identity, "Binary": Identity, "": Identity,
	}
	for in, want := range tests {
		if got, ok := Parse(in); got != want || !ok {
			t.Errorf("Parse(%q) = %v, %v", in, got, ok)
		}
	}
	if got, ok := Parse("x-unknown"); got != Identity || ok {
		t.Errorf("an unknown encoding is %v, %v", got, ok)
	}
}

func TestDecodeBase64(t *testing.T) {
	tests := []struct {
		in, want string
		clean    bool
	}{
		{"SGVsbG8=", "Hello", true},
		{"SGVs\r\nbG8=\r\n", "Hello", true},
		{"SGVs\nbG8=", "Hello", true},
		{"SGVsbG8", "Hello", false},
		{"SGVs bG8=", "Hello", false},
		{"SGVs!bG8=", "Hello", false},
		{"SGVsbG8=SGVsbG8=", "HelloHello", false},
		{"SGVsbA==bw==", "Hello", false},
		{"_-8=", "\xff\xef", false},
		{"SGVsbG9=", "Hello", false}, // bits behind the last octet
		{"SGVsbG8hA", "Hello!", false},
		{"====", "", false},
		{"", "", true},
	}
	for _, tt := range tests {
		var m Meter
		m.Feed([]byte(tt.in))
		size, clean := m.Done()
		if got := DecodeBase64([]byte(tt.in)); string(got) != tt.want || size != int64(len(tt.want)) || clean != tt.clean {
			t.Errorf("%q: %q, size %d, clean %v", tt.in, got, size, clean)
		}
	}
}

// pieces feeds b to a decoder in pieces of n, each to a clone of the one before.
func pieces(d Decoder, b []byte, n int) []byte {
	var out []byte
	for len(b) > n {
		out = d.Decode(out, b[:n], false)
		d, b = d.Clone(), b[n:]
	}
	return d.Decode(out, b, true)
}

func FuzzBase64(f *testing.F) {
	f.Add([]byte("SGVs\r\nbG8=\r\nSGVsbG8h"), uint8(3))
	f.Add([]byte(strings.Repeat("QUFB", 19)+"\r\n"+strings.Repeat("QUFB", 19)+"\r\nQQ==\r\n"), uint8(11))
	f.Add([]byte("A=B==C===\n-_-\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := Base64.DecodeAll(b)
		step := int(n)%64 + 1
		if got := pieces(Base64.Decoder(), b, step); !bytes.Equal(got, whole) {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, step, got, whole)
		}
		var m, parts Meter
		m.Feed(b)
		for rest := b; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			parts.Feed(rest[:min(step, len(rest))])
		}
		size, clean := m.Done()
		psize, pclean := parts.Done()
		if size != int64(len(whole)) || psize != size || pclean != clean {
			t.Fatalf("%q: size %d clean %v, in pieces %d %v, decodes to %d", b, size, clean, psize, pclean, len(whole))
		}
		if stripped := strings.NewReplacer("\r", "", "\n", "").Replace(string(b)); clean && stripped != base64.StdEncoding.EncodeToString(whole) {
			t.Fatalf("%q is called clean", b)
		}
	})
}

func TestDecodeQuoted(t *testing.T) {
	long := strings.Repeat("=D0=90", 2500)
	tests := []struct{ in, want string }{
		{"a=3Db", "a=b"},
		{"caf=C3=A9", "café"},
		{"caf=c3=a9", "café"},
		{"soft=\r\nbreak", "softbreak"},
		{"soft= \t\r\nbreak", "softbreak"},
		{"end=", "end"},
		{"trailing  \r\nspace", "trailing\r\nspace"},
		{"100=ZZ ok", "100=ZZ ok"},
		{"raw \xe9", "raw \xe9"},
		{"ctrl\x0b\x1b", "ctrl\x0b\x1b"},
		{"<a href=\"x\">", "<a href=\"x\">"},
		{long, strings.Repeat("А", 2500)},
	}
	for _, tt := range tests {
		if got := QuotedPrintable.DecodeAll([]byte(tt.in)); string(got) != tt.want {
			t.Errorf("%.60q: %.60q, want %.60q", tt.in, got, tt.want)
		}
	}
}

func FuzzQuoted(f *testing.F) {
	f.Add([]byte("a=3Db=\r\n  x  \r\n=C3=A9="), uint8(2))
	f.Add([]byte("=\r=\n= \t=\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := QuotedPrintable.DecodeAll(b)
		if got := pieces(QuotedPrintable.Decoder(), b, int(n)%32+1); !bytes.Equal(got, whole) {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, int(n)%32+1, got, whole)
		}
		var enc bytes.Buffer
		w := quotedprintable.NewWriter(&enc)
		w.Binary = true
		w.Write(b)
		w.Close()
		if got := QuotedPrintable.DecodeAll(enc.Bytes()); !bytes.Equal(got, b) {
			t.Fatalf("%q is %q after a round trip", b, got)
		}
	})
}

const uuFile = "begin 644 a.txt\r\n+2&5L;&\\L('=O<FQD\r\n`\r\nend\r\n"

func TestUUDecode(t *testing.T) {
	if got := UU.DecodeAll([]byte("text before\r\n" + uuFile + "text after\r\n")); string(got) != "Hello, worl" {
		t.Errorf("got %q", got)
	}
	if got := UU.DecodeAll([]byte("plain text\r\nlabelled wrongly")); string(got) != "plain text\r\nlabelled wrongly" {
		t.Errorf("a text that isn't encoded: %q", got)
	}
	long := bytes.Repeat([]byte("no file at all\r\n"), 8<<10)
	if got := UU.DecodeAll(append(long[:len(long):len(long)], uuFile...)); len(got) != len(long)+len(uuFile) {
		t.Errorf("a long text that isn't encoded: %d octets of %d", len(got), len(long)+len(uuFile))
	}
	blocks := FindUU([]byte("see\r\n"+uuFile+"and begin 12 things\r\nbegin 644 broken\r\nno data at all here, is there?\r\n"), 100)
	if len(blocks) != 1 || string(blocks[0].Name) != "a.txt" || blocks[0].Start != 5 || blocks[0].End != 5+len(uuFile) {
		t.Errorf("blocks %+v", blocks)
	}
}

func FuzzUU(f *testing.F) {
	f.Add([]byte(uuFile), uint8(3))
	f.Add([]byte("begin 0644 x\n#0V%T\n`\nend"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := UU.DecodeAll(b)
		if got := pieces(UU.Decoder(), b, int(n)+1); !bytes.Equal(got, whole) && len(b) < 4096 {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, int(n)+1, got, whole)
		}
		for _, u := range FindUU(b, 100) {
			if u.Start >= u.End || u.End > len(b) {
				t.Fatalf("block %+v of %d octets", u, len(b))
			}
		}
	})
}
