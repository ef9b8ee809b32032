package payload

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"postern/gateway/mail"
)

// downgraded is the message for formats that carry it as text: the source
// itself where it is valid UTF-8 and its charsets have names that everybody
// knows. Else the leaves that are not are encoded in base64, in which they
// arrive whole, what is not UTF-8 outside of leaves (header fields, preambles) is
// decoded, and a charset that frameworks know by another name gets that: at one
// that it can't look up a framework raises, and answers 500 for ever. This
// changes octets, so a DKIM signature won't verify again; it happens only where
// the receiver would refuse or mangle the mail.
func downgraded(d *Delivery) (stream, error) {
	plain, err := forEverybody(d.Raw)
	if err != nil || plain {
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

// forEverybody says whether the source is UTF-8 without odd labels; it reads it
// once.
func forEverybody(src mail.Source) (bool, error) {
	var v validator
	var s labelScanner
	if b, ok := src.(mail.Bytes); ok {
		s.look(b)
		return !s.found && utf8.Valid(b), nil
	}
	if err := writeSource(io.MultiWriter(&v, &s), src); err != nil {
		return false, err
	}
	return !v.bad && len(v.rest) == 0 && !s.found, nil
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
	size := min(src.Size()+1, copyBuffer)
	e := editor{w: w, r: bufio.NewReaderSize(r, int(size)), in: make([]byte, (size+lineOctets-1)/lineOctets*lineOctets)}
	at := int64(0)
	for _, d := range edits {
		if err := e.pieces(d.from-at, e.copy); err != nil {
			return err
		}
		if err := e.write(d); err != nil {
			return err
		}
		at = d.to
	}
	return e.pieces(src.Size()-at, e.copy)
}

// editor writes one source. A mail may call for very many edits: they share
// its buffers.
type editor struct {
	w    io.Writer
	r    *bufio.Reader
	in   []byte // whole lines of base64
	out  []byte
	rest []byte // start of a rune that the last piece cut
}

// lineOctets are what a line of base64 holds (RFC 2045, 6.8).
const lineOctets = 57

// pieces hands the next n octets to f, piece by piece.
func (e *editor) pieces(n int64, f func(piece []byte) error) error {
	for n > 0 {
		b := e.in[:min(n, int64(len(e.in)))]
		if _, err := io.ReadFull(e.r, b); err != nil {
			return fmt.Errorf("read the stored message: %w", err)
		}
		n -= int64(len(b))
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) copy(b []byte) error {
	_, err := e.w.Write(b)
	return err
}

// write writes what an edit makes of the next octets.
func (e *editor) write(d edit) error {
	n := d.to - d.from
	switch d.how {
	case replaced:
		if err := e.pieces(n, func([]byte) error { return nil }); err != nil {
			return err
		}
		_, err := io.WriteString(e.w, d.text)
		return err
	case encoded:
		eol := ""
		return e.pieces(n, func(b []byte) error {
			e.out = e.out[:0]
			for len(b) > 0 { // no line end after the last
				k := min(len(b), lineOctets)
				e.out = base64.StdEncoding.AppendEncode(append(e.out, eol...), b[:k])
				b, eol = b[k:], "\r\n"
			}
			return e.copy(e.out)
		})
	default:
		if err := e.pieces(n, func(b []byte) error { return e.mend(b, d, false) }); err != nil {
			return err
		}
		return e.mend(nil, d, true)
	}
}

// mend replaces what is not UTF-8; a rune that may be cut waits for more unless
// this is the end.
func (e *editor) mend(b []byte, d edit, end bool) error {
	if len(e.rest) > 0 {
		b = append(e.rest, b...)
	}
	e.out, e.rest = e.out[:0], e.rest[:0]
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			e.out = append(e.out, b[:n]...)
		case !end && !utf8.FullRune(b):
			e.rest = append([]byte(nil), b...)
			return e.copy(e.out)
		default:
			e.out = d.appendMended(e.out, b[0])
		}
		b = b[n:]
	}
	return e.copy(e.out)
}

func (d edit) appendMended(dst []byte, c byte) []byte {
	switch d.how {
	case escaped:
		return append(dst, '=', upperHex[c>>4], upperHex[c&15])
	case blanked:
		return append(dst, ' ')
	default:
		return utf8.AppendRune(dst, cmp.Or(d.charset, charmap.Windows1252).DecodeByte(c))
	}
}

const upperHex = "0123456789ABCDEF"
