package report

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

const (
	// maxReturned is the size of a message that RET=FULL returns whole; of a
	// larger one only the header is returned.
	maxReturned = 10 << 20
	// maxReturnedHeader is how much of a header is returned.
	maxReturnedHeader = 64 << 10
	// maxLine is the longest line that SMTP carries (RFC 5321 section 4.5.3.1.6).
	maxLine = 998
)

// returned is the part with the message: whole where RET=FULL asks for it and
// it can travel as it is, else its header.
func (n *notice) returned(eightBit bool) (part, error) {
	if n.whole() {
		high, fits, err := travels(n.raw)
		if err != nil {
			return part{}, err
		}
		if fits && (!high || eightBit) {
			kind := map[bool]string{false: "message/rfc822", true: "message/global"}[n.env.UTF8]
			return part{kind, encoding(high), func(w io.Writer) error { return copySource(w, n.raw) }}, nil
		}
	}
	head, err := headerOf(n.raw)
	if err != nil {
		return part{}, err
	}
	high := !text.IsASCII(string(head))
	if high && !eightBit {
		head, high = bytes.Map(sevenBit, head), false
	}
	kind := "text/rfc822-headers"
	if high && n.utf8() {
		kind = "message/global-headers"
	}
	return part{kind, encoding(high), func(w io.Writer) error { _, err := w.Write(head); return err }}, nil
}

func sevenBit(r rune) rune {
	if r > 126 {
		return '?'
	}
	return r
}

// whole reports whether the whole message may be returned: RET speaks of
// failures only (RFC 3461 section 4.3), and what asked for encryption all the
// way doesn't go back without it.
func (n *notice) whole() bool {
	return n.env.DSN != nil && strings.EqualFold(n.env.DSN.Ret, "FULL") && n.wording != delivered && !n.env.RequireTLS && n.raw.Size() <= maxReturned
}

func copySource(w io.Writer, src mail.Source) error {
	r, err := src.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// travels reads a message and says whether it has octets above 127, and
// whether SMTP carries it unchanged: CRLF alone ends lines, no line is too
// long, no NUL.
func travels(src mail.Source) (high, fits bool, err error) {
	r, err := src.Open()
	if err != nil {
		return false, false, err
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, 64<<10)
	line, last := 0, byte('\n')
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return high, last != '\r', nil
		}
		if err != nil {
			return high, false, err
		}
		switch {
		case b == 0, (b == '\n') != (last == '\r') && (b == '\n' || last == '\r'), line > maxLine:
			return high, false, nil
		case b == '\n':
			line = 0
		case b != '\r':
			line++
			high = high || b > 127
		}
		last = b
	}
}

// headerOf is the message's header without the empty line after it; lines too
// long for SMTP and what lies beyond the limit are left out.
func headerOf(src mail.Source) ([]byte, error) {
	r, err := src.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxReturnedHeader))
	if err != nil {
		return nil, err
	}
	var out []byte
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) <= maxLine {
			out = append(append(out, bytes.Map(visible, line)...), "\r\n"...)
		}
	}
	return out, nil
}

func visible(r rune) rune {
	if r == '\r' || r == 0 {
		return -1
	}
	return r
}
