package turn

import (
	"bytes"
	"io"
	"slices"

	"postern/gateway/mail"
)

// octets looks through a message for what a peer must be able to take: octets
// that 7BIT has no place for (above 127, and NUL), and line ends that are no CRLF.
func octets(src mail.Source) (eightBit, bareLF bool, err error) {
	r, err := src.Open()
	if err != nil {
		return eightBit, bareLF, err
	}
	defer r.Close()
	buf := make([]byte, 32<<10)
	last := byte(0)
	for {
		n, err := r.Read(buf)
		eightBit = eightBit || slices.ContainsFunc(buf[:n], func(b byte) bool { return b >= 0x80 || b == 0 })
		bareLF = bareLF || bare(last, buf[:n])
		if n > 0 {
			last = buf[n-1]
		}
		if err == io.EOF {
			return eightBit, bareLF || last == '\r', nil
		}
		if err != nil {
			return eightBit, bareLF, err
		}
	}
}

// bare reports whether a CR or LF stands alone in b, which follows last.
func bare(last byte, b []byte) bool {
	for len(b) > 0 {
		if last == '\r' && b[0] != '\n' || last != '\r' && b[0] == '\n' {
			return true
		}
		i := bytes.IndexAny(b, "\r\n")
		switch {
		case i < 0:
			return false
		case i == 0:
			last, b = b[0], b[1:]
		default:
			last, b = b[i-1], b[i:]
		}
	}
	return false
}
