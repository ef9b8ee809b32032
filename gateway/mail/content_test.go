package mail

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"postern/gateway/mail/transfer"
)

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
			c, size, _ := o.measure(src, 2, int64(2+len(body)), transfer.Base64)
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
	for _, enc := range []transfer.Encoding{transfer.Base64, transfer.Identity} {
		c := &leafContent{src: Bytes(body), end: int64(len(body)), enc: enc, clean: enc == transfer.Base64}
		if err := c.WriteBase64(&failingWriter{n: 50_000}); err == nil {
			t.Errorf("encoding %v: no error from a writer that fails", enc)
		}
	}
	c := &leafContent{src: fileSource("/nowhere/at/all"), end: 5}
	if err := c.WriteBase64(io.Discard); err == nil {
		t.Error("no error from a source that is gone")
	}
}

const uuFile = "begin 644 a.txt\r\n+2&5L;&\\L('=O<FQD\r\n`\r\nend\r\n"
