package payload

import (
	"math/bits"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plain marks the octets that stand for themselves inside a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// appendString appends s as a JSON string, quotes included. What is not UTF-8
// becomes U+FFFD, so that the result is always valid (RFC 8259, section 8.1).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends s as the inside of a JSON string: runs that need no
// escape are copied whole.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := plainRun(s, 0); i < len(s); i = plainRun(s, i) {
		if n := runeLen(s[i:]); n > 0 {
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, s[i])
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

// escapedLen is the length that appendEscaped appends.
func escapedLen(s string) int64 {
	n := int64(len(s))
	for i := plainRun(s, 0); i < len(s); i = plainRun(s, i) {
		if l := runeLen(s[i:]); l > 0 {
			i += l
			continue
		}
		n += int64(escapeLen(s[i])) - 1
		i++
	}
	return n
}

// plainRun is where the octets of s from i on that stand for themselves end. It
// looks at eight at a time.
func plainRun(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if m := notPlain(w); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(s) && plain[s[i]] {
		i++
	}
	return i
}

// notPlain has the highest bit of each octet of w set that doesn't stand for
// itself, and perhaps of some behind the first of them.
func notPlain(w uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	control, quote, backslash := w-ones*' ', (w^ones*'"')-ones, (w^ones*'\\')-ones
	return (w | control | quote | backslash) & high
}

// runeLen is the length of the valid multi-byte rune that opens s, 0 if none does.
func runeLen(s string) int {
	if _, size := utf8.DecodeRuneInString(s); size > 1 {
		return size
	}
	return 0
}

// appendEscape appends the escape of an octet that can't stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	case c < 0x20:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	default:
		return append(dst, "\uFFFD"...)
	}
}

func escapeLen(c byte) int {
	switch {
	case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
		return 2
	case c < 0x20:
		return 6
	default:
		return len("\uFFFD")
	}
}
