package address

import (
	"bytes"
	"unicode/utf8"
)

// Parse reads what Address.String wrote: a mailbox, a bare local part such as
// postmaster, or "" for the null reverse-path.
func Parse(s string) (Address, bool) {
	if s == "" {
		return Address{}, true
	}
	return parseMailbox([]byte(s))
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
