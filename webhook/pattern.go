package webhook

import (
	"fmt"
	"postern/gateway/text"
	"strings"

	"golang.org/x/net/idna"
)

// Pattern says which recipients are meant:
//
//	sales@in.example.com    one mailbox, with any plus tag
//	support+*@example.com   its tagged addresses only
//	*@example.com           a domain; example.com means the same
//	*@*.example.com         its subdomains
//	sales@*                 a local part at any domain
//	*                       everyone
//
// Case never matters, and a domain's A-labels and U-labels are equal.
type Pattern struct {
	local, domain string // lower case, the domain in A-labels; "*" stands for any run of characters
}

var everyone = Pattern{"*", "*"}

// ParsePattern reads a pattern; the error says how to write what may be meant.
func ParsePattern(s string) (Pattern, error) {
	s = strings.TrimSpace(s)
	if s == "*" {
		return everyone, nil
	}
	local, domain, at := cutUnquoted(s)
	if !at {
		if !strings.ContainsAny(s, ".:[") {
			return Pattern{}, fmt.Errorf("pattern %q: write %q for a mailbox at any domain, or %q for a whole domain", s, s+"@*", "*@"+s)
		}
		local, domain = "*", s
	}
	if local == "" {
		local = "*"
	}
	if domain = foldDomain(domain); domain == "" {
		return Pattern{}, fmt.Errorf("pattern %q: the domain is missing; write %q for any domain", s, s+"*")
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return Pattern{}, fmt.Errorf("pattern %q: a label of the domain is empty; write *@*.example.com for subdomains", s)
	}
	if strings.ContainsAny(s, " \t\r\n,;<>") {
		return Pattern{}, fmt.Errorf("pattern %q: write one pattern, such as sales@example.com, *@example.com or *", s)
	}
	return Pattern{strings.ToLower(local), domain}, nil
}

// Match reports whether the address is meant.
func (p Pattern) Match(address string) bool { return p.match(fold(address)) }

// MatchDomain reports whether an address at the domain may be meant.
func (p Pattern) MatchDomain(domain string) bool { return glob(p.domain, foldDomain(domain)) }

// Domain is the one domain that is named, "" where there are several.
func (p Pattern) Domain() string {
	if strings.Contains(p.domain, "*") {
		return ""
	}
	return p.domain
}

// CatchAll reports whether everyone is meant.
func (p Pattern) CatchAll() bool { return p == everyone }

// String is the pattern as it would be written.
func (p Pattern) String() string {
	if p.CatchAll() {
		return "*"
	}
	return p.local + "@" + p.domain
}

func (p Pattern) match(a folded) bool {
	if !glob(p.domain, a.domain) {
		return false
	}
	if glob(p.local, a.local) {
		return true
	}
	base, _, tagged := strings.Cut(a.local, "+")
	return tagged && !strings.Contains(p.local, "+") && glob(p.local, base)
}

// folded is an address in the form in which addresses are compared.
type folded struct{ local, domain string }

func fold(address string) folded {
	local, domain, _ := cutUnquoted(address)
	return folded{strings.ToLower(local), foldDomain(domain)}
}

// cutUnquoted is text.CutAddress with a quoted local part taken out of its quotes.
func cutUnquoted(address string) (local, domain string, at bool) {
	local, domain, at = text.CutAddress(address)
	if !at {
		return local, domain, at
	}
	if n := len(local); n >= 2 && local[0] == '"' && local[n-1] == '"' {
		local = unquote(local[1 : n-1])
	}
	return local, domain, at
}

// unquote takes the backslashes out of a quoted-string's inside (RFC 5321, 4.1.2).
func unquote(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// foldDomain is the domain in lower case and A-labels, without a final dot.
// What IDNA can't map is compared as it is.
func foldDomain(d string) string {
	d = strings.ToLower(strings.TrimSuffix(d, "."))
	for i := 0; i < len(d); i++ {
		if d[i] >= 0x80 {
			if a, err := idna.Lookup.ToASCII(d); err == nil {
				return a
			}
			if a, err := idna.Punycode.ToASCII(d); err == nil { // wildcards and underscores
				return a
			}
			return d
		}
	}
	return d
}

// glob reports whether s is of the pattern's form, where each "*" stands for
// any run of characters.
func glob(pattern, s string) bool {
	if pattern == "*" {
		return true
	}
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], next
	}
}
