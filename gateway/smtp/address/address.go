// Package address is the one reader of envelope addresses: paths of MAIL and
// RCPT, mailboxes of VRFY, addresses that come back from storage. Whatever it
// accepts renders into an address that parses to the same; what it refuses
// never reaches a handler.
package address

import (
	"strings"

	"postern/gateway/text"
)

// Limits of RFC 5321 section 4.5.3.1. A local part may be longer than 64
// octets: bounce addresses of today are, and only the whole path is held to
// its limit.
const (
	MaxDomain = 255 // octets
	maxPath   = 256 // octets, with the brackets
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
func (a Address) ASCII() bool { return text.IsASCII(a.Local) && text.IsASCII(a.Domain) }

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

// OddDots reports whether the local part begins or ends with a dot or has two
// in a row: not a Dot-string, yet in use.
func (a Address) OddDots() bool {
	return !a.Quoted && (strings.HasPrefix(a.Local, ".") || strings.HasSuffix(a.Local, ".") || strings.Contains(a.Local, ".."))
}
