// Package text makes a stranger's words safe to show: cut to a length, kept on
// one line, free of what a terminal, a header field or an SMTP reply would take
// for more than words. Nothing here fails; what can't be shown is replaced.
package text

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip cuts s to at most n octets, not within a character.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Shorten is Clip for people: what was cut is marked by an ellipsis, which
// comes on top of the n octets.
func Shorten(s string, n int) string {
	if c := Clip(s, n); len(c) < len(s) {
		return c + "…"
	}
	return s
}

// OneLine makes one line of s: line ends of any kind, those of Unicode too,
// which Python takes for one, and other control characters become spaces.
func OneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}

// Reply makes one line of at most limit printable ASCII characters: an SMTP
// reply goes to clients that didn't ask for more (RFC 6531, 3.7.4). Runs of
// white space and control characters become one space, others a question mark.
func Reply(s string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			space = b.Len() > 0
			continue
		}
		if space && b.Len()+1 < limit {
			b.WriteByte(' ')
			space = false
		}
		if space || b.Len() >= limit {
			break
		}
		if r > '~' {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Terminal keeps control characters, and with them escape sequences, from
// reaching a terminal, and what turns the direction of the text after it: each
// becomes a full stop. Tabs stay.
func Terminal(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) {
			return '.'
		}
		return r
	}, s)
}

// TerminalLines is Terminal for what has lines.
func TerminalLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Terminal(line)
	}
	return strings.Join(lines, "\n")
}

// IsASCII reports whether every octet of s is below 0x80. It looks at eight at a
// time: whole texts of mail are asked about.
func IsASCII[T ~string | ~[]byte](s T) bool {
	for len(s) >= 8 {
		if s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7] >= utf8.RuneSelf {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// RedactURL hides what may be a secret in an address: user, password and the
// query's values. What can't be parsed isn't shown at all.
func RedactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that is no URL"
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.String()
}

// CutAddress splits a mail address at its last "@"; without one all of it is the
// local part, as in <postmaster>.
func CutAddress(address string) (local, domain string, found bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, "", false
	}
	return address[:at], address[at+1:], true
}

// IsWord reports whether b is a protocol's word, given in upper case, in any
// case.
func IsWord(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// Storable reports whether every store can look for s: it is valid UTF-8 without NUL.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
