package auth

import (
	"bytes"
	"io"
	"strings"

	"postern/gateway/mail"
)

// maxHeader is how much of a header is read for signatures; a longer one has
// none that counts.
const maxHeader = 1 << 20

// rawField is a header field as received: its octets without the last line end.
type rawField struct {
	name string // lower case
	text string
	end  int // where what follows it starts
}

func (f rawField) value() string {
	_, v, _ := strings.Cut(f.text, ":")
	return v
}

// opened is a message whose header was read.
type opened struct {
	fields []rawField
	body   []byte        // what was read of it with the header
	start  int64         // where it starts
	rest   io.ReadCloser // what follows body
}

func newOpened(buf []byte, end int, rest io.ReadCloser) *opened {
	body := afterBlank(buf[end:])
	return &opened{fields: splitFields(buf[:end]), body: body, start: int64(len(buf) - len(body)), rest: rest}
}

// readFields takes the header from a reader that stands at the start of a message
// of so many octets.
func readFields(r io.ReadCloser, size int64) (*opened, error) {
	buf := make([]byte, 0, min(size+1, 16<<10)) // one more, to see the end
	end := -1
	for from := 0; end < 0 && len(buf) < maxHeader; {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, len(buf))...)[:len(buf)]
		}
		n, e := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		end = headerEnd(buf, max(0, from-3))
		from = len(buf)
		if e == io.EOF {
			break
		}
		if e != nil {
			return nil, e
		}
	}
	if end < 0 {
		end = len(buf)
	}
	return newOpened(buf, end, r), nil
}

// headerEnd is where the blank line starts, -1 without.
func headerEnd(b []byte, from int) int {
	if from == 0 && (bytes.HasPrefix(b, []byte("\r\n")) || bytes.HasPrefix(b, []byte("\n"))) {
		return 0
	}
	for i := from; ; i++ {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		i += j
		if rest := b[i+1:]; bytes.HasPrefix(rest, []byte("\r\n")) || bytes.HasPrefix(rest, []byte("\n")) {
			return i + 1
		}
	}
}

func afterBlank(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[i+1:]
	}
	return nil
}

// splitFields takes a header apart. A line that is no field stays one, without a
// name: nobody signs it.
func splitFields(b []byte) []rawField {
	var out []rawField
	for at := 0; len(b) > 0; {
		n := 0
		for {
			i := bytes.IndexByte(b[n:], '\n')
			if i < 0 {
				n = len(b)
				break
			}
			n += i + 1
			if n == len(b) || b[n] != ' ' && b[n] != '\t' {
				break
			}
		}
		text := crlfOnly(string(b[:n]))
		name, _, ok := strings.Cut(text, ":")
		if !ok {
			name = ""
		}
		out = append(out, rawField{strings.ToLower(strings.Trim(name, " \t\r\n")), text, at + n})
		b, at = b[n:], at+n
	}
	return out
}

// crlfOnly drops the last line end, and makes CRLF of a line feed alone.
func crlfOnly(s string) string {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	if strings.Count(s, "\n") != strings.Count(s, "\r\n") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
	}
	return s
}

// appendField appends a field in canonical form (RFC 6376, 3.4.1 and 3.4.2),
// without a line end.
func appendField(dst []byte, text string, relaxed bool) []byte {
	if !relaxed {
		return append(dst, text...)
	}
	name, value, _ := strings.Cut(text, ":")
	dst = append(dst, strings.ToLower(strings.Trim(name, " \t\r\n"))...)
	dst = append(dst, ':')
	start, gap := len(dst), false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			gap = true
		default:
			if gap && len(dst) > start {
				dst = append(dst, ' ')
			}
			gap = false
			dst = append(dst, c)
		}
	}
	return dst
}

// hashBody streams the rest of a message into the hashes that are wanted.
func hashBody(first []byte, r io.Reader, sums []*bodyHash) error {
	if len(sums) == 0 {
		return nil
	}
	w := make([]io.Writer, len(sums))
	for i, s := range sums {
		s.Write(first)
		w[i] = s
	}
	if _, none := r.(noRest); none {
		return nil
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(w...)}, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return err
}

// noRest is the rest of a message that is in memory as a whole: there is none to read.
type noRest struct{}

func (noRest) Read([]byte) (int, error) { return 0, io.EOF }
func (noRest) Close() error             { return nil }

// open reads a message's header; the caller closes the rest.
func open(data mail.Source) (*opened, error) {
	if b, ok := data.(mail.Bytes); ok {
		end := headerEnd(b[:min(len(b), maxHeader)], 0)
		if end < 0 {
			end = min(len(b), maxHeader)
		}
		return newOpened(b, end, noRest{}), nil
	}
	r, err := data.Open()
	if err != nil {
		return nil, err
	}
	o, err := readFields(r, data.Size())
	if err != nil {
		r.Close()
	}
	return o, err
}
