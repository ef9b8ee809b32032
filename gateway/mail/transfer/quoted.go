package transfer

import "bytes"

// quotedDecoder decodes quoted-printable (RFC 2045 6.7) and never fails: an
// "=" that starts no escape stays, lower-case hex and raw octets are taken,
// lines may have any length. White space at a line's end is transport padding
// and goes. It keeps what a piece cuts.
type quotedDecoder struct {
	held []byte // an escape or white space at the end of a piece
}

func (d *quotedDecoder) Clone() Decoder { return &quotedDecoder{held: bytes.Clone(d.held)} }

// Decode appends the decoded octets of src to dst. At the last piece nothing
// is held back.
func (d *quotedDecoder) Decode(dst, src []byte, last bool) []byte {
	if len(d.held) > 0 {
		src = append(d.held, src...)
		d.held = nil
	}
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\n')
		line, eol := src, []byte(nil)
		if i >= 0 {
			line = TrimCR(src[:i])
			eol = src[len(line) : i+1]
		} else if !last {
			keep := heldTail(src)
			dst = decodeQuotedText(dst, src[:keep])
			d.held = append([]byte(nil), src[keep:]...)
			return dst
		}
		src = src[len(line)+len(eol):]
		line = bytes.TrimRight(line, " \t")
		if n := len(line); n > 0 && line[n-1] == '=' { // soft line break
			dst = decodeQuotedText(dst, line[:n-1])
			continue
		}
		dst = append(decodeQuotedText(dst, line), eol...)
	}
	return dst
}

// maxHeld bounds what is held back. White space of that length at a line's end
// is no padding.
const maxHeld = 4096

// heldTail returns where the octets start that can't be decoded before the
// next piece is there: trailing white space, an open escape, a carriage return.
func heldTail(src []byte) int {
	n := len(src)
	for n > 0 && src[n-1] == '\r' && len(src)-n < maxHeld {
		n--
	}
	for n > 0 && isSpace(src[n-1]) && len(src)-n < maxHeld {
		n--
	}
	if i := bytes.LastIndexByte(src[max(0, n-2):n], '='); i >= 0 {
		n = max(0, n-2) + i
	}
	for n > 0 && isSpace(src[n-1]) && len(src)-n < maxHeld {
		n--
	}
	return n
}

// decodeQuotedText decodes the escapes of a stretch without line ends.
func decodeQuotedText(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '=')
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		b = b[i:]
		if len(b) > 2 {
			if h, l := Unhex(b[1]), Unhex(b[2]); h >= 0 && l >= 0 {
				dst = append(dst, byte(h<<4|l))
				b = b[3:]
				continue
			}
		}
		dst = append(dst, '=')
		b = b[1:]
	}
}
