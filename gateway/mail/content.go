package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"postern/gateway/mail/transfer"
)

// leafContent is the content of one leaf: a stretch of the source and how it
// is encoded. It holds nothing but that.
type leafContent struct {
	src   Source
	off   int64
	end   int64
	enc   transfer.Encoding
	clean bool // canonical base64 but for its line ends
}

// measure makes the content of [off, end) and counts its decoded octets.
func (o *octets) measure(src Source, off, end int64, enc transfer.Encoding) (*leafContent, int64, transfer.Meter) {
	c := &leafContent{src: src, off: off, end: end, enc: enc}
	if enc == transfer.Identity {
		return c, end - off, transfer.Meter{}
	}
	if enc == transfer.Base64 {
		var m transfer.Meter
		for pos := off; pos < end; {
			w := o.span(pos, end)
			if len(w) == 0 {
				break
			}
			m.Feed(w)
			pos += int64(len(w))
		}
		size, clean := m.Done()
		c.clean = clean
		return c, size, m
	}
	size, err := c.count()
	if err != nil && o.err == nil {
		o.err = err
	}
	return c, size, transfer.Meter{}
}

// count decodes the content as its readers will: what a decoder does with
// overlong lines depends on the pieces that it gets.
func (c *leafContent) count() (int64, error) {
	r, err := c.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}

// Open implements Content.
func (c *leafContent) Open() (io.ReadCloser, error) {
	if b, ok := c.src.(Bytes); ok && c.enc == transfer.Identity {
		return nopCloser{bytes.NewReader(b[c.off:c.end])}, nil
	}
	r, err := c.encoded()
	if err != nil || c.enc == transfer.Identity {
		return r, err
	}
	return &decodingReader{src: r, step: c.enc.Decoder(), in: make([]byte, pieceOf(c.end-c.off))}, nil
}

// encoded reads the stretch as it is stored.
func (c *leafContent) encoded() (io.ReadCloser, error) {
	f, err := c.src.Open()
	if err != nil {
		return nil, fmt.Errorf("open the stored mail for an attachment: %w", err)
	}
	if _, err := f.Seek(c.off, io.SeekStart); err != nil {
		f.Close()
		return nil, fmt.Errorf("seek to an attachment in the stored mail: %w", err)
	}
	return &section{f: f, left: c.end - c.off}, nil
}

// WriteBase64 implements Content.
func (c *leafContent) WriteBase64(w io.Writer) error {
	if c.clean {
		return c.writeStripped(w)
	}
	return encodeContent(c, c.end-c.off, w)
}

// writeStripped passes clean base64 on without its line ends.
func (c *leafContent) writeStripped(w io.Writer) error {
	out := &stripper{w: w, buf: make([]byte, 0, pieceOf(c.end-c.off))}
	if b, ok := c.src.(Bytes); ok {
		out.write(b[c.off:c.end])
		return out.flush()
	}
	r, err := c.encoded()
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, pieceOf(c.end-c.off))
	for {
		n, err := r.Read(buf)
		out.write(buf[:n])
		if err == io.EOF {
			return out.flush()
		}
		if err != nil {
			return err
		}
	}
}

// copySize is how much of an attachment is in memory while it is written, at
// the most: a mail may have a thousand of them.
const copySize = 32 << 10

// pieceOf is the buffer for a content of at most size octets. One more than the
// content has lets its reader see the end at once.
func pieceOf(size int64) int { return int(min(copySize, size+1)) }

// stripper copies octets without line ends, in large writes. An error of the
// writer sticks until flush.
type stripper struct {
	w   io.Writer
	buf []byte
	err error
}

func (s *stripper) write(b []byte) {
	for len(b) > 0 && s.err == nil {
		n := bytes.IndexByte(b, '\n')
		line := b
		if n >= 0 {
			line, b = b[:n], b[n+1:]
		} else {
			b = nil
		}
		if k := len(line); k > 0 && line[k-1] == '\r' {
			line = line[:k-1]
		}
		for len(line) > 0 {
			if len(s.buf) == cap(s.buf) {
				s.drain()
			}
			k := copy(s.buf[len(s.buf):cap(s.buf)], line)
			s.buf, line = s.buf[:len(s.buf)+k], line[k:]
		}
	}
}

func (s *stripper) drain() {
	if s.err == nil {
		_, s.err = s.w.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

func (s *stripper) flush() error {
	s.drain()
	return s.err
}

// encodeContent decodes a content of at most size octets and encodes it again.
func encodeContent(c Content, size int64, w io.Writer) error {
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	in := make([]byte, (pieceOf(size)+2)/3*3) // whole groups: padding comes last
	out := make([]byte, base64.StdEncoding.EncodedLen(len(in)))
	for {
		n, err := io.ReadFull(r, in)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		base64.StdEncoding.Encode(out, in[:n])
		if _, err := w.Write(out[:base64.StdEncoding.EncodedLen(n)]); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

// section reads a stretch of an open source and closes it.
type section struct {
	f    io.ReadCloser
	left int64
}

func (s *section) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.f.Read(p)
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		err = fmt.Errorf("the stored mail is shorter than it was: %w", io.ErrUnexpectedEOF)
	}
	return n, err
}

func (s *section) Close() error { return s.f.Close() }

// decodingReader undoes a transfer encoding piece by piece.
type decodingReader struct {
	src  io.ReadCloser
	step transfer.Decoder
	in   []byte
	buf  []byte // decoded, the unread part in out
	out  []byte
	err  error
	seen func(encoded, decoded int64, d transfer.Decoder) // told before each piece; nil: nobody asks

	encoded, decoded int64 // octets of the pieces so far
}

func (r *decodingReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.seen != nil {
			r.seen(r.encoded, r.decoded, r.step)
		}
		var n int
		n, r.err = io.ReadFull(r.src, r.in) // pieces of one size, see count
		if r.err == io.ErrUnexpectedEOF {
			r.err = io.EOF
		}
		if r.err == nil || r.err == io.EOF {
			r.buf = r.step.Decode(r.buf[:0], r.in[:n], r.err == io.EOF)
			r.out = r.buf
			r.encoded, r.decoded = r.encoded+int64(n), r.decoded+int64(len(r.buf))
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

func (r *decodingReader) Close() error { return r.src.Close() }
