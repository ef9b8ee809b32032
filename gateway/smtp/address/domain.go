package address

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode/utf8"

	"postern/gateway/text"
)

// validDomain accepts a domain name (UTF-8 labels and underscores too) or an
// address literal.
func validDomain(b []byte) bool {
	if len(b) == 0 || len(b) > MaxDomain {
		return false
	}
	if b[0] == '[' {
		return validLiteral(b)
	}
	start := 0
	for i, c := range b {
		switch {
		case c == '.':
			if !validLabel(b[start:i]) {
				return false
			}
			start = i + 1
		case !alnum(c) && c != '-' && c != '_' && c < utf8.RuneSelf:
			return false
		}
	}
	return validLabel(b[start:]) && utf8.Valid(b)
}

func validLabel(b []byte) bool {
	return len(b) > 0 && len(b) <= maxLabel && b[0] != '-' && b[len(b)-1] != '-'
}

// validLiteral accepts [IPv4] and [IPv6:address] (RFC 5321 section 4.1.3).
func validLiteral(b []byte) bool {
	if len(b) < 3 || b[len(b)-1] != ']' {
		return false
	}
	b = b[1 : len(b)-1]
	six := len(b) > 5 && bytes.EqualFold(b[:5], []byte("IPv6:"))
	if six {
		b = b[5:]
	}
	ip, err := netip.ParseAddr(string(b))
	return err == nil && ip.Is6() == six && ip.Zone() == ""
}

// ValidHostname reports whether s may stand as the server's name.
func ValidHostname(s string) bool {
	return text.IsASCII(s) && validDomain([]byte(s))
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// atext of RFC 5322 with RFC 6531's UTF-8.
func atext(c byte) bool {
	return alnum(c) || c >= utf8.RuneSelf || (c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
