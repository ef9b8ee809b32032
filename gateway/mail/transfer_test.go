package mail

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
)

func TestParseTransfer(t *testing.T) {
	tests := map[string]transfer{
		"base64": base64Encoded, "BASE64": base64Encoded, ` "base64" `: base64Encoded, "base64 (comment)": base64Encoded, "base64;": base64Encoded, "x-base64": base64Encoded,
		"quoted-printable": quotedPrintable, "Quoted Printable": quotedPrintable, "quoted_printable": quotedPrintable, "=?us-ascii?Q?quoted-printable?=": quotedPrintable,
		"x-uuencode": uuencoded, "uuencode": uuencoded, "x-uue": uuencoded,
		"7bit": identity, "8-bit": identity, "8bit;": identity, "Binary": identity, "": identity,
	}
	for in, want := range tests {
		if got, ok := new(decoder).parseTransfer([]byte(in)); got != want || !ok {
			t.Errorf("parseTransfer(%q) = %v, %v", in, got, ok)
		}
	}
	if got, ok := new(decoder).parseTransfer([]byte("x-unknown")); got != identity || ok {
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
		var m base64Size
		m.feed([]byte(tt.in))
		size, clean := m.done()
		if got := decodeBase64([]byte(tt.in)); string(got) != tt.want || size != int64(len(tt.want)) || clean != tt.clean {
			t.Errorf("%q: %q, size %d, clean %v", tt.in, got, size, clean)
		}
	}
}

// pieces feeds b to a decoder in pieces of n, each to a clone of the one before.
func pieces(d transferDecoder, b []byte, n int) []byte {
	var out []byte
	for len(b) > n {
		out = d.decode(out, b[:n], false)
		d, b = d.clone(), b[n:]
	}
	return d.decode(out, b, true)
}

func FuzzBase64(f *testing.F) {
	f.Add([]byte("SGVs\r\nbG8=\r\nSGVsbG8h"), uint8(3))
	f.Add([]byte(strings.Repeat("QUFB", 19)+"\r\n"+strings.Repeat("QUFB", 19)+"\r\nQQ==\r\n"), uint8(11))
	f.Add([]byte("A=B==C===\n-_-\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := base64Encoded.decodeAll(b)
		step := int(n)%64 + 1
		if got := pieces(base64Encoded.decoder(), b, step); !bytes.Equal(got, whole) {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, step, got, whole)
		}
		var m, parts base64Size
		m.feed(b)
		for rest := b; len(rest) > 0; rest = rest[min(step, len(rest)):] {
			parts.feed(rest[:min(step, len(rest))])
		}
		size, clean := m.done()
		psize, pclean := parts.done()
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
		if got := quotedPrintable.decodeAll([]byte(tt.in)); string(got) != tt.want {
			t.Errorf("%.60q: %.60q, want %.60q", tt.in, got, tt.want)
		}
	}
}

func FuzzQuoted(f *testing.F) {
	f.Add([]byte("a=3Db=\r\n  x  \r\n=C3=A9="), uint8(2))
	f.Add([]byte("=\r=\n= \t=\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := quotedPrintable.decodeAll(b)
		if got := pieces(quotedPrintable.decoder(), b, int(n)%32+1); !bytes.Equal(got, whole) {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, int(n)%32+1, got, whole)
		}
		var enc bytes.Buffer
		w := quotedprintable.NewWriter(&enc)
		w.Binary = true
		w.Write(b)
		w.Close()
		if got := quotedPrintable.decodeAll(enc.Bytes()); !bytes.Equal(got, b) {
			t.Fatalf("%q is %q after a round trip", b, got)
		}
	})
}

const uuFile = "begin 644 a.txt\r\n+2&5L;&\\L('=O<FQD\r\n`\r\nend\r\n"

func TestUUDecode(t *testing.T) {
	if got := uuencoded.decodeAll([]byte("text before\r\n" + uuFile + "text after\r\n")); string(got) != "Hello, worl" {
		t.Errorf("got %q", got)
	}
	blocks := findUU([]byte("see\r\n"+uuFile+"and begin 12 things\r\nbegin 644 broken\r\nno data at all here, is there?\r\n"), maxUU)
	if len(blocks) != 1 || blocks[0].name != "a.txt" || blocks[0].start != 5 || blocks[0].end != 5+len(uuFile) {
		t.Errorf("blocks %+v", blocks)
	}
}

func FuzzUU(f *testing.F) {
	f.Add([]byte(uuFile), uint8(3))
	f.Add([]byte("begin 0644 x\n#0V%T\n`\nend"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		whole := uuencoded.decodeAll(b)
		if got := pieces(uuencoded.decoder(), b, int(n)+1); !bytes.Equal(got, whole) && len(b) < 4096 {
			t.Fatalf("%q in pieces of %d: %q, whole %q", b, int(n)+1, got, whole)
		}
		for _, u := range findUU(b, maxUU) {
			if u.start >= u.end || u.end > len(b) {
				t.Fatalf("block %+v of %d octets", u, len(b))
			}
		}
	})
}

func TestContent(t *testing.T) {
	raw := bytes.Repeat([]byte("octets \x00\xff"), 20_000)
	encoded := wrapBase64(raw)
	for name, body := range map[string]string{
		"clean": encoded, "padding inside": "QQ==\r\n" + encoded, "spaces": strings.ReplaceAll(encoded, "\r\n", " \r\n"), "bare LF": strings.ReplaceAll(encoded, "\r\n", "\n"),
	} {
		mail := "xx" + body + "yy"
		for _, src := range []Source{Bytes(mail), fileOf(t, mail)} {
			o, err := openOctets(src)
			if err != nil {
				t.Fatal(err)
			}
			c, size, _ := o.measure(src, 2, int64(2+len(body)), base64Encoded)
			o.close()
			if c.clean != (name == "clean" || name == "bare LF") {
				t.Errorf("%s: clean is %v", name, c.clean)
			}
			readContent(t, name, Attachment{Size: size, Content: c})
			in := &container{leafContent: c}
			whole, err := in.scan()
			if err == nil {
				_, err = io.Copy(io.Discard, whole)
				whole.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			for off := int64(0); off+100 <= size; off += 997 {
				part := &partContent{in: in, off: off, size: 100}
				if got := readContent(t, name, Attachment{Size: 100, Content: part}); name == "clean" && !bytes.Equal(got, raw[off:off+100]) {
					t.Fatalf("%s: the part at %d is %q", name, off, got)
				}
			}
		}
	}
}

// failingWriter takes n octets.
type failingWriter struct{ n int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestContentWriteError(t *testing.T) {
	body := wrapBase64(make([]byte, 200_000))
	for _, enc := range []transfer{base64Encoded, identity} {
		c := &leafContent{src: Bytes(body), end: int64(len(body)), enc: enc, clean: enc == base64Encoded}
		if err := c.WriteBase64(&failingWriter{n: 50_000}); err == nil {
			t.Errorf("encoding %v: no error from a writer that fails", enc)
		}
	}
	c := &leafContent{src: fileSource("/nowhere/at/all"), end: 5}
	if err := c.WriteBase64(io.Discard); err == nil {
		t.Error("no error from a source that is gone")
	}
}
