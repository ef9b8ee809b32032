package transfer

import (
	"bytes"
	"encoding/base64"
)

// base64Value gives an octet its six bits in the standard and the URL alphabet;
// 64 is padding, 65 white space, 66 anything else.
var base64Value = newBase64Values()

const (
	b64Pad   = 64
	b64Space = 65
	b64Stray = 66
)

func newBase64Values() (t [256]byte) {
	for i := range t {
		t[i] = b64Stray
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	t['-'], t['_'], t['='] = 62, 63, b64Pad
	t[' '], t['\t'], t['\r'], t['\n'], t[0] = b64Space, b64Space, b64Space, b64Space, b64Space
	return t
}

// Meter measures a base64 body as it is fed in pieces: how many octets it
// decodes to when everything outside the alphabet is dropped and padding ends a
// group, and whether it is clean, so that its octets can be passed on as they are.
type Meter struct {
	size    int64 // decoded, of the groups already closed
	digits  int64 // alphabet octets of the open stretch
	stray   int64 // octets that have no business in base64
	pads    int64 // "=" of the open stretch's end
	unclean bool  // stray octets, URL alphabet, padding inside, spaces
	last    byte  // the last alphabet octet
	lineLen int   // of the lines so far, line feed included: a guess for the fast path
	fed     int64 // octets so far
	after   int64 // where octets go on that follow padding, 0: nowhere
}

// AfterPadding is where, in what was fed, something follows the padding that
// should have been the end; 0 where nothing does.
func (m *Meter) AfterPadding() int64 { return m.after }

// Feed takes the next piece of the body.
func (m *Meter) Feed(b []byte) {
	for len(b) > 0 {
		if n := m.cleanLines(b); n > 0 {
			b = b[n:]
			m.fed += int64(n)
			continue
		}
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		m.line(b[:n])
		m.lineLen = n
		m.fed += int64(n)
		b = b[n:]
	}
}

// cleanLines takes as many whole lines of the length seen last as are clean
// and returns how many octets that were.
func (m *Meter) cleanLines(b []byte) int {
	n := m.lineLen
	if n < 6 || len(b) < n || m.pads > 0 {
		return 0
	}
	text := n - 1
	if b[n-2] == '\r' {
		text--
	}
	done := 0
	for len(b)-done >= n {
		l := b[done : done+n : done+n]
		if l[n-1] != '\n' || l[text] != '\r' && text != n-1 || !cleanBase64(l[:text]) {
			break
		}
		done += n
	}
	if done > 0 {
		m.digits += int64(done/n) * int64(text)
		m.last = b[done-n+text-1]
	}
	return done
}

// cleanBase64 says whether b holds nothing but the standard alphabet.
func cleanBase64(b []byte) bool {
	var bad byte
	for len(b) >= 8 {
		bad |= stdDigit[b[0]] | stdDigit[b[1]] | stdDigit[b[2]] | stdDigit[b[3]] |
			stdDigit[b[4]] | stdDigit[b[5]] | stdDigit[b[6]] | stdDigit[b[7]]
		b = b[8:]
	}
	for _, c := range b {
		bad |= stdDigit[c]
	}
	return bad == 0
}

// stdDigit is 0 for the octets of the standard alphabet, 1 for others.
var stdDigit = newStdDigits()

func newStdDigits() (t [256]byte) {
	for i := range t {
		if base64Value[i] >= b64Pad || i == '-' || i == '_' {
			t[i] = 1
		}
	}
	return t
}

// line takes octets one by one.
func (m *Meter) line(b []byte) {
	for i, c := range b {
		v := base64Value[c]
		if m.after == 0 && m.pads > 0 && (v < 64 || v == b64Stray) && (m.digits+m.pads)%4 == 0 && m.stray == 0 {
			m.after = m.fed + int64(i)
		}
		switch {
		case v < 64:
			if m.pads > 0 {
				m.closeGroup()
				m.unclean = true // text goes on after padding
			}
			m.unclean = m.unclean || c == '-' || c == '_'
			m.digits++
			m.last = c
		case v == b64Pad:
			m.pads++
		case v == b64Stray:
			m.stray++
			m.unclean = true
		case c != '\r' && c != '\n':
			m.unclean = true
		}
	}
}

func (m *Meter) closeGroup() {
	m.size += decodedLen(m.digits)
	m.digits, m.pads = 0, 0
}

// decodedLen is the octets that n base64 digits hold: a lone digit holds none.
func decodedLen(n int64) int64 { return n/4*3 + [4]int64{0, 0, 1, 2}[n%4] }

// Done returns the decoded size and whether the body, stripped of its line
// ends, is already canonical base64.
func (m *Meter) Done() (size int64, clean bool) {
	want := (4 - m.digits%4) % 4
	clean = !m.unclean && m.size == 0 && want < 3 && m.pads == want
	if clean && want > 0 { // the bits behind the last octet must be zero
		clean = base64Value[m.last]&[3]byte{0, 3, 15}[want] == 0
	}
	return m.size + decodedLen(m.digits), clean
}

// base64Decoder decodes as Meter measures. It keeps a group that a piece
// cuts.
type base64Decoder struct {
	bits  uint32
	count int // digits in bits
}

func (d *base64Decoder) Clone() Decoder {
	c := *d
	return &c
}

// Decode appends the octets of src to dst.
func (d *base64Decoder) Decode(dst, src []byte, last bool) []byte {
	bits, count := d.bits, d.count
	for _, c := range src {
		v := base64Value[c]
		if v >= 64 {
			if v == b64Pad && count > 0 {
				dst = appendGroup(dst, bits, count)
				bits, count = 0, 0
			}
			continue
		}
		bits = bits<<6 | uint32(v)
		if count++; count == 4 {
			dst = append(dst, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, count = 0, 0
		}
	}
	if last { // what an unpadded end still holds
		dst = appendGroup(dst, bits, count)
		bits, count = 0, 0
	}
	d.bits, d.count = bits, count
	return dst
}

func appendGroup(dst []byte, bits uint32, count int) []byte {
	switch count {
	case 2:
		return append(dst, byte(bits>>4))
	case 3:
		return append(dst, byte(bits>>10), byte(bits>>2))
	}
	return dst
}

// DecodeBase64 decodes a whole body, dropping what doesn't belong there.
func DecodeBase64(b []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b))+3)
	if n, err := base64.StdEncoding.Decode(out, b); err == nil {
		return out[:n]
	}
	var d base64Decoder
	return d.Decode(out[:0], b, true)
}
