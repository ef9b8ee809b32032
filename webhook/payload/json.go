package payload

import (
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
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if n := runeLen(s[i:]); n > 0 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

// escapedLen is the length that appendEscaped appends.
func escapedLen[T string | []byte](s T) int64 {
	n := int64(len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if l := runeLen(s[i:]); l > 0 {
				i += l
				continue
			}
		}
		n += int64(escapeLen(c)) - 1
		i++
	}
	return n
}

// runeLen is the length of the valid multi-byte rune that opens s, 0 if none does.
func runeLen[T string | []byte](s T) int {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s[:min(len(s), utf8.UTFMax)])
	if r, size := utf8.DecodeRune(b[:n]); r != utf8.RuneError || size > 1 {
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
