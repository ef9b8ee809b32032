package htmltext

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"postern/gateway/mail/htmltext/css"
)

// wordEnd is where the first blank or invisible character of s is.
func wordEnd(s []byte) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0xc2 {
			if css.Blank(c) {
				return i
			}
			continue
		}
		switch c {
		case 0xc2:
			if i+1 < len(s) && (s[i+1] == 0xa0 || s[i+1] == 0xad) {
				return i
			}
		case 0xcd, 0xe1, 0xe2, 0xef, 0xf3:
			if invisible(s[i:]) > 0 {
				return i
			}
		case 0xf0:
			i += flagTags(s[i:])
		}
	}
	return len(s)
}

// invisible is the length of the character that s starts with where nobody
// sees it: a soft hyphen, a zero-width character, a Unicode tag. A joiner is
// part of what follows in scripts that join, and in emoji.
func invisible(s []byte) int {
	r, n := utf8.DecodeRune(s)
	switch {
	case r == 0x200c || r == 0x200d:
		if next, _ := utf8.DecodeRune(s[n:]); next >= 0x600 && next != utf8.RuneError && (unicode.IsLetter(next) || unicode.IsSymbol(next)) {
			return 0
		}
	case r == 0xad || r == 0x34f || r == 0x180e || r == 0x200b || r == 0x200e || r == 0x200f || r == 0xfeff:
	case r >= 0x2060 && r <= 0x2064 || r >= 0x206a && r <= 0x206f:
	case r >= 0xe0000 && r <= 0xe0fff:
	default:
		return 0
	}
	return n
}

// flagTags is how much of s, behind the first octet of a black flag, are the
// Unicode tags that make it the flag of a part of a country (UTS 51 ED-14a).
func flagTags(s []byte) int {
	const flag, end, most = "\U0001f3f4", "\U000e007f", 8 * 4
	if !bytes.HasPrefix(s, []byte(flag)) {
		return 0
	}
	n := len(flag)
	for n < min(len(s), len(flag)+most) {
		r, size := utf8.DecodeRune(s[n:])
		n += size
		switch {
		case string(r) == end:
			return n - 1
		case r < 0xe0030 || r > 0xe007a:
			return 0
		}
	}
	return 0
}
