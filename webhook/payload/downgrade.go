package payload

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"postern/gateway/mail"
)

// downgraded is the message for formats that carry it as text: the source
// itself where it is valid UTF-8. Else the leaves that are not are encoded in
// base64, in which they arrive whole, and what is not UTF-8 outside of leaves
// (header fields, preambles) is decoded. This changes octets, so a DKIM
// signature won't verify again; it happens only where the receiver would refuse
// or mangle the mail.
func downgraded(d *Delivery) (stream, error) {
	valid, err := isUTF8(d.Raw)
	if err != nil || valid {
		return ofSource(d.Raw), err
	}
	edits, err := findEdits(d.Raw, d.Message)
	if err != nil {
		return stream{}, err
	}
	s := stream{write: func(w io.Writer) error { return writeEdited(w, d.Raw, edits) }}
	s.size, err = measure(s.write)
	return s, err
}

// isUTF8 reads the source once.
func isUTF8(src mail.Source) (bool, error) {
	if b, ok := src.(mail.Bytes); ok {
		return utf8.Valid(b), nil
	}
	var v validator
	if err := writeSource(&v, src); err != nil {
		return false, err
	}
	return !v.bad && len(v.rest) == 0, nil
}

// validator is a writer that checks for UTF-8 across the pieces it gets.
type validator struct {
	rest []byte // start of a rune that the last piece cut
	bad  bool
}

func (v *validator) Write(p []byte) (int, error) {
	if v.bad {
		return len(p), nil
	}
	b := p
	if len(v.rest) > 0 {
		b = append(v.rest, p...)
	}
	cut := len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				cut = len(b) - i
			}
			break
		}
	}
	v.bad = !utf8.Valid(b[:cut])
	v.rest = append([]byte(nil), b[cut:]...)
	return len(p), nil
}

// edit replaces the octets from..to of the source.
type edit struct {
	from, to int64
	how      editKind
	text     string           // of a replacement
	charset  *charmap.Charmap // of a decoding; nil: windows-1252
}

type editKind uint8

const (
	replaced editKind = iota // by text
	encoded                  // in base64, in lines
	decoded                  // what is not UTF-8 is decoded
	escaped                  // what is not UTF-8 is escaped as in quoted-printable
	blanked                  // what is not UTF-8 becomes a space
)

// writeEdited writes the source with the edits, which are in order.
func writeEdited(w io.Writer, src mail.Source, edits []edit) error {
	r, err := src.Open()
	if err != nil {
		return fmt.Errorf("open the stored message: %w", err)
	}
	defer r.Close()
	at := int64(0)
	for _, e := range edits {
		if err := copyAll(w, io.LimitReader(r, e.from-at)); err != nil {
			return err
		}
		if err := writeEdit(w, io.LimitReader(r, e.to-e.from), e); err != nil {
			return err
		}
		at = e.to
	}
	return copyAll(w, r)
}

func writeEdit(w io.Writer, r io.Reader, e edit) error {
	switch e.how {
	case replaced:
		if err := copyAll(io.Discard, r); err != nil {
			return err
		}
		_, err := io.WriteString(w, e.text)
		return err
	case encoded:
		enc := base64.NewEncoder(base64.StdEncoding, &liner{w: w})
		if err := copyAll(enc, r); err != nil {
			return err
		}
		return enc.Close()
	default:
		m := &mender{w: w, how: e.how, charset: cmp.Or(e.charset, charmap.Windows1252)}
		if err := copyAll(m, r); err != nil {
			return err
		}
		return m.flush(nil, true)
	}
}

// liner breaks base64 into lines of 76 octets (RFC 2045, 6.8). It writes no
// line end after the last.
type liner struct {
	w   io.Writer
	col int
	buf []byte
}

func (l *liner) Write(p []byte) (int, error) {
	n := len(p)
	l.buf = l.buf[:0]
	for len(p) > 0 {
		if l.col == 76 {
			l.buf = append(l.buf, "\r\n"...)
			l.col = 0
		}
		k := min(len(p), 76-l.col)
		l.buf = append(l.buf, p[:k]...)
		l.col += k
		p = p[k:]
	}
	_, err := l.w.Write(l.buf)
	return n, err
}

// mender replaces what is not UTF-8.
type mender struct {
	w       io.Writer
	how     editKind
	charset *charmap.Charmap
	rest    []byte
	buf     []byte
}

func (m *mender) Write(p []byte) (int, error) { return len(p), m.flush(p, false) }

// flush mends what is at hand; a rune that may be cut waits for more unless
// this is the end.
func (m *mender) flush(p []byte, end bool) error {
	b := append(m.rest, p...)
	m.buf = m.buf[:0]
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			m.buf = append(m.buf, b[:n]...)
		case !end && !utf8.FullRune(b):
			m.rest = append([]byte(nil), b...)
			_, err := m.w.Write(m.buf)
			return err
		default:
			m.buf = m.mend(m.buf, b[0])
		}
		b = b[n:]
	}
	m.rest = nil
	_, err := m.w.Write(m.buf)
	return err
}

func (m *mender) mend(dst []byte, c byte) []byte {
	switch m.how {
	case escaped:
		return append(dst, '=', upperHex[c>>4], upperHex[c&15])
	case blanked:
		return append(dst, ' ')
	default:
		return utf8.AppendRune(dst, m.charset.DecodeByte(c))
	}
}

const upperHex = "0123456789ABCDEF"
