package payload

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"postern/gateway/mail"
)

const (
	// oneSegment is the length below which a body is handed over as one slice,
	// which the HTTP client writes together with its header.
	oneSegment = 256 << 10
	// longText is the length above which a string is escaped while it is
	// written instead of being copied into the body.
	longText = 32 << 10
)

// segment is a stretch of a body: its length is known before it is written.
type segment struct {
	size  int64
	write func(io.Writer) error
}

// composer builds a body out of octets at hand and of content that stays where
// it is until it is written. It also writes JSON: a comma goes where the octet
// before calls for one.
type composer struct {
	buf  []byte    // octets after the last segment
	segs []segment // what came before
	size int64     // of segs
	last byte      // the octet before buf
}

// add appends a segment of known length, which must not write anything else.
func (c *composer) add(size int64, write func(io.Writer) error) {
	c.cut()
	c.segs = append(c.segs, segment{size, write})
	c.size += size
}

// cut turns the octets at hand into a segment.
func (c *composer) cut() {
	if len(c.buf) == 0 {
		return
	}
	b := c.buf
	c.last = b[len(b)-1]
	c.segs = append(c.segs, segment{int64(len(b)), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}})
	c.size += int64(len(b))
	c.buf = nil
}

// body is what was composed.
func (c *composer) body(contentType string) (Body, error) {
	if len(c.segs) == 0 {
		return small(contentType, c.buf), nil
	}
	c.cut()
	segs := c.segs
	b := Body{ContentType: contentType, Length: c.size, Write: func(w io.Writer) error { return writeAll(w, segs) }}
	if c.size > oneSegment {
		return b, nil
	}
	buf := bytes.NewBuffer(make([]byte, 0, c.size))
	if err := writeAll(buf, segs); err != nil {
		return Body{}, err
	}
	return small(contentType, buf.Bytes()), nil
}

func small(contentType string, b []byte) Body {
	return Body{ContentType: contentType, Length: int64(len(b)), Bytes: b, Write: func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

// writeAll writes the segments and checks each one's length, which the request
// has announced.
func writeAll(w io.Writer, segs []segment) error {
	n := counter{w: w}
	for _, s := range segs {
		n.n = 0
		if err := s.write(&n); err != nil {
			return err
		}
		if n.n != s.size {
			return fmt.Errorf("content changed under the renderer: %d octets where %d were announced; check the spool or store", n.n, s.size)
		}
	}
	return nil
}

// counter counts what passes through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// text appends octets as they are.
func (c *composer) text(s string) { c.buf = append(c.buf, s...) }

// comma separates from the value before, if there is one.
func (c *composer) comma() {
	l := c.last
	if n := len(c.buf); n > 0 {
		l = c.buf[n-1]
	}
	switch l {
	case 0, '{', '[', ':':
	default:
		c.buf = append(c.buf, ',')
	}
}

func (c *composer) open(b byte) {
	c.comma()
	c.buf = append(c.buf, b)
}

func (c *composer) close(b byte) { c.buf = append(c.buf, b) }

func (c *composer) key(k string) {
	c.comma()
	c.buf = append(appendString(c.buf, k), ':')
}

// literal appends a JSON value that is spelt out already.
func (c *composer) literal(s string) {
	c.comma()
	c.text(s)
}

func (c *composer) null()       { c.literal("null") }
func (c *composer) bool(b bool) { c.literal(strconv.FormatBool(b)) }
func (c *composer) int(n int64) {
	c.comma()
	c.buf = strconv.AppendInt(c.buf, n, 10)
}

// str appends a JSON string; a long one is escaped while it is written.
func (c *composer) str(s string) {
	c.comma()
	if len(s) < longText {
		c.buf = appendString(c.buf, s)
		return
	}
	c.buf = append(c.buf, '"')
	c.add(escapedLen(s), func(w io.Writer) error { return writeEscaped(w, s) })
	c.buf = append(c.buf, '"')
}

// writeEscaped writes s as the inside of a JSON string, a piece at a time.
func writeEscaped(w io.Writer, s string) error {
	buf := make([]byte, 0, longText)
	for len(s) > 0 {
		n := min(len(s), longText/2)
		for n < len(s) && n > 0 && s[n]&0xC0 == 0x80 { // not within a rune
			n--
		}
		if n == 0 {
			n = min(len(s), longText/2)
		}
		buf = appendEscaped(buf[:0], s[:n])
		if _, err := w.Write(buf); err != nil {
			return err
		}
		s = s[n:]
	}
	return nil
}

func (c *composer) strs(list []string) {
	c.open('[')
	for _, s := range list {
		c.str(s)
	}
	c.close(']')
}

func (c *composer) field(k, v string) {
	c.key(k)
	c.str(v)
}

// time appends an RFC 3339 time, or null for the zero time.
func (c *composer) time(t time.Time, layout string) {
	if t.IsZero() {
		c.null()
		return
	}
	c.comma()
	c.buf = append(c.buf, '"')
	c.buf = t.AppendFormat(c.buf, layout)
	c.buf = append(c.buf, '"')
}

// base64 appends an attachment's content as a JSON string. Base64 needs no escape.
func (c *composer) base64(a *mail.Attachment) {
	c.comma()
	c.buf = append(c.buf, '"')
	c.add(base64Len(a.Size), a.Content.WriteBase64)
	c.buf = append(c.buf, '"')
}

// base64Len is the length of n octets in padded base64 without line ends.
func base64Len(n int64) int64 { return (n + 2) / 3 * 4 }
