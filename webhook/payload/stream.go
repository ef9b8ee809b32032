package payload

import (
	"io"

	"postern/gateway/mail"
)

// stream is content of known length that is written whenever it is needed.
type stream struct {
	size  int64
	write func(io.Writer) error
}

// ofSource is a source's octets as they are.
func ofSource(src mail.Source) stream {
	return stream{src.Size(), func(w io.Writer) error { return writeSource(w, src) }}
}

// rawBase64 is a source as one line of base64.
func rawBase64(src mail.Source) stream {
	return stream{base64Len(src.Size()), func(w io.Writer) error { return writeBase64(w, src) }}
}

// ofContent is an attachment's decoded octets.
func ofContent(a *mail.Attachment) stream {
	return stream{a.Size, func(w io.Writer) error {
		r, err := a.Content.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		return copyAll(w, r, a.Size)
	}}
}

// ofText is a string.
func ofText(s string) stream {
	return stream{int64(len(s)), func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}}
}

// then is s followed by t.
func (s stream) then(t stream) stream {
	return stream{s.size + t.size, func(w io.Writer) error {
		if err := s.write(w); err != nil {
			return err
		}
		return t.write(w)
	}}
}

// inJSON is s, which is valid UTF-8, as the inside of a JSON string. The
// content is read once for the length.
func (s stream) inJSON() (stream, error) {
	escaped := stream{write: func(w io.Writer) error { return s.write(&escaper{w: w}) }}
	var err error
	escaped.size, err = measure(escaped.write)
	return escaped, err
}

// measure is the number of octets that write writes.
func measure(write func(io.Writer) error) (int64, error) {
	n := counter{w: io.Discard}
	err := write(&n)
	return n.n, err
}

// escaper escapes valid UTF-8 for the inside of a JSON string. Octets from 0x80
// pass, so that a rune may come in two pieces.
type escaper struct {
	w   io.Writer
	buf []byte
}

func (e *escaper) Write(p []byte) (int, error) {
	e.buf = e.buf[:0]
	start := 0
	for i, c := range p {
		if c >= 0x80 || plain[c] {
			continue
		}
		e.buf = appendEscape(append(e.buf, p[start:i]...), c)
		start = i + 1
	}
	e.buf = append(e.buf, p[start:]...)
	if _, err := e.w.Write(e.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// stream appends a stream as it is.
func (c *composer) stream(s stream) { c.add(s.size, s.write) }

// quoted appends a stream that needs no more escapes as a JSON string.
func (c *composer) quoted(s stream) {
	c.comma()
	c.text(`"`)
	c.stream(s)
	c.text(`"`)
}
