package smtp

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Limits of RFC 5321 section 4.5.3.1. A local part may be longer than 64
// octets: bounce addresses of today are, and only the whole path is held to
// its limit.
const (
	maxPath   = 256 // with the brackets
	maxDomain = 255
	maxLabel  = 63
)

// Address is a path of the envelope. The null reverse-path and <postmaster>
// have no domain.
type Address struct {
	Local  string // unquoted
	Domain string // as given, or a literal with its brackets
	Quoted bool   // the local part came quoted
}

// String renders the address for the wire, quoting the local part where it
// needs it; "" is the null reverse-path.
func (a Address) String() string {
	local := a.Local
	if (local != "" || a.Domain != "") && !plainLocal(local) {
		local = quoteLocal(local)
	}
	if a.Domain == "" {
		return local
	}
	return local + "@" + a.Domain
}

// ASCII reports whether the address needs no SMTPUTF8.
func (a Address) ASCII() bool { return ascii(a.Local) && ascii(a.Domain) }

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainLocal reports whether the local part is a Dot-string, or one with dots
// in odd places as old mobile networks give them to their users.
func plainLocal(s string) bool {
	for i := 0; i < len(s); i++ {
		if !atext(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

func quoteLocal(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// fault is what is wrong with a path; none is the zero value.
type fault uint8

const (
	faultNone     fault = iota
	faultBrackets       // no "<", or no ">" to end it
	faultSyntax
	faultLong
)

// parsePath reads "<" path ">" at the start of b and returns what follows it.
// A source route is read and dropped (RFC 5321 section 3.6.1). UTF-8 passes:
// whether it may is decided by who knows the parameters.
func parsePath(b []byte) (a Address, rest []byte, f fault) {
	end := pathEnd(b)
	if end < 0 {
		return a, nil, faultBrackets
	}
	inner, rest := b[1:end], b[end+1:]
	if len(rest) > 0 && !blank(rest[0]) {
		return a, nil, faultSyntax
	}
	if len(inner)+2 > maxPath {
		return a, nil, faultLong
	}
	if inner, f = dropRoute(inner); f != faultNone || len(inner) == 0 {
		return a, rest, f
	}
	a, ok := parseMailbox(inner)
	if !ok {
		return Address{}, nil, faultSyntax
	}
	return a, rest, faultNone
}

// pathEnd is the index of the ">" that ends the path, quoted strings skipped,
// or -1.
func pathEnd(b []byte) int {
	if len(b) == 0 || b[0] != '<' {
		return -1
	}
	quoted := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}

// dropRoute removes "@one,@two:" from the front of a path.
func dropRoute(b []byte) ([]byte, fault) {
	if len(b) == 0 || b[0] != '@' {
		return b, faultNone
	}
	for len(b) > 0 && b[0] == '@' {
		end := domainEnd(b[1:]) + 1
		if end >= len(b) || !validDomain(b[1:end]) {
			return nil, faultSyntax
		}
		sep := b[end]
		b = b[end+1:]
		if sep == ':' && len(b) > 0 {
			return b, faultNone
		}
	}
	return nil, faultSyntax
}

// domainEnd is the index of the "," or ":" behind a domain of a source route.
func domainEnd(b []byte) int {
	literal := false
	for i, c := range b {
		switch {
		case c == '[':
			literal = true
		case c == ']':
			literal = false
		case !literal && (c == ',' || c == ':'):
			return i
		}
	}
	return len(b)
}

// parseMailbox reads local-part "@" domain, or a local part alone.
func parseMailbox(b []byte) (Address, bool) {
	if b[0] == '"' {
		return parseQuoted(b)
	}
	at := bytes.IndexByte(b, '@')
	if at < 0 {
		at = len(b)
	}
	for _, c := range b[:at] {
		if !atext(c) && c != '.' {
			return Address{}, false
		}
	}
	if at == 0 || !utf8.Valid(b[:at]) {
		return Address{}, false
	}
	return splitMailbox(b, at)
}

// splitMailbox makes one string of the mailbox and cuts it, so that an address
// costs one allocation.
func splitMailbox(b []byte, at int) (Address, bool) {
	s := string(b)
	if at == len(b) {
		return Address{Local: s}, true
	}
	if !validDomain(b[at+1:]) {
		return Address{}, false
	}
	return Address{Local: s[:at], Domain: s[at+1:]}, true
}

// parseQuoted reads a mailbox whose local part is a quoted string.
func parseQuoted(b []byte) (Address, bool) {
	local := make([]byte, 0, len(b))
	i := 1
	for ; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
		if i == len(b) || b[i] < ' ' || b[i] == 0x7f {
			return Address{}, false
		}
		local = append(local, b[i])
	}
	if i == len(b) || !utf8.Valid(local) {
		return Address{}, false
	}
	a := Address{Local: string(local), Quoted: true}
	switch rest := b[i+1:]; {
	case len(rest) == 0:
		return a, len(local) > 0
	case rest[0] != '@' || !validDomain(rest[1:]):
		return Address{}, false
	default:
		a.Domain = string(rest[1:])
		return a, true
	}
}

// oddDots reports whether the local part begins or ends with a dot or has two
// in a row: not a Dot-string, yet in use as a sender's address.
func (a Address) oddDots() bool {
	return !a.Quoted && (strings.HasPrefix(a.Local, ".") || strings.HasSuffix(a.Local, ".") || strings.Contains(a.Local, ".."))
}

// validDomain accepts a domain name (UTF-8 labels and underscores too) or an
// address literal.
func validDomain(b []byte) bool {
	if len(b) == 0 || len(b) > maxDomain {
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

// validHostname reports whether s may stand as the server's name.
func validHostname(s string) bool {
	return ascii(s) && validDomain([]byte(s))
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// atext of RFC 5322 with RFC 6531's UTF-8.
func atext(c byte) bool {
	return alnum(c) || c >= utf8.RuneSelf || (c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
