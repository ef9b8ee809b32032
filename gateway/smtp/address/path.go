package address

import "bytes"

// Manners is how much a client may deviate from RFC 5321's paths.
type Manners uint8

const (
	// Lenient takes what devices send and nobody can misunderstand: a path
	// without brackets, blanks inside them, one dot behind the domain.
	Lenient Manners = iota
	// Strict takes the RFC's paths alone.
	Strict
)

// Fault is what is wrong with a path; FaultNone is the zero value.
type Fault uint8

// The faults.
const (
	FaultNone     Fault = iota
	FaultBrackets       // no "<", or no ">" to end it
	FaultSyntax
	FaultLong
)

// ParsePath reads "<" path ">" at the start of b and returns what follows it.
// A source route is read and dropped (RFC 5321 section 3.6.1). UTF-8 passes:
// whether it may is decided by who knows the parameters.
func ParsePath(b []byte, m Manners) (a Address, rest []byte, f Fault) {
	inner, rest, ok := cutPath(b, m)
	if !ok {
		return a, nil, FaultBrackets
	}
	if len(rest) > 0 && !blank(rest[0]) {
		return a, nil, FaultSyntax
	}
	if m == Lenient {
		inner = tidy(inner)
	}
	if len(inner)+2 > maxPath {
		return a, nil, FaultLong
	}
	if inner, f = dropRoute(inner); f != FaultNone || len(inner) == 0 {
		return a, rest, f
	}
	a, ok = parseMailbox(inner)
	if !ok {
		return Address{}, nil, FaultSyntax
	}
	return a, rest, FaultNone
}

// ParseLookup reads the argument of VRFY or EXPN: a path, a mailbox, or a
// user's name, which comes back as it is (RFC 5321 section 3.5.1).
func ParseLookup(b []byte, m Manners) (s string, ok bool) {
	if len(b) == 0 {
		return "", false
	}
	if b[0] != '<' && b[0] != '"' && bytes.IndexByte(b, '@') < 0 {
		return string(b), !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	if b[0] != '<' {
		b = append(append([]byte{'<'}, b...), '>')
	}
	a, rest, f := ParsePath(b, m)
	if f != FaultNone || len(rest) > 0 || a == (Address{}) {
		return "", false
	}
	if a.Domain == "" {
		return a.Local, true
	}
	return a.String(), true
}

// cutPath takes the path off b, without its brackets.
func cutPath(b []byte, m Manners) (inner, rest []byte, ok bool) {
	bare := m == Lenient && len(b) > 0 && b[0] != '<'
	start := 1
	if bare {
		start = 0
	} else if len(b) == 0 || b[0] != '<' {
		return nil, nil, false
	}
	quoted := false
	for i := start; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case bare && blank(c):
			return bareInner(b[:i], b[i:])
		case c == '>' && !bare:
			return b[1:i], b[i+1:], true
		}
	}
	if bare && !quoted {
		return bareInner(b, nil)
	}
	return nil, nil, false
}

// bareInner is a path without brackets, where it can't be anything else.
func bareInner(b, rest []byte) (inner, after []byte, ok bool) {
	parameter := bytes.IndexByte(b, '=') >= 0 && bytes.IndexByte(b, '@') < 0
	return b, rest, len(b) > 0 && !parameter && !bytes.ContainsAny(b, "<>")
}

// tidy takes blanks off both ends, and one dot off the domain's.
func tidy(inner []byte) []byte {
	inner = bytes.Trim(inner, " \t")
	if n := len(inner); n > 2 && inner[n-1] == '.' && bytes.LastIndexByte(inner, '@') >= 0 && inner[n-2] != '.' {
		return inner[:n-1]
	}
	return inner
}

// dropRoute removes "@one,@two:" from the front of a path.
func dropRoute(b []byte) ([]byte, Fault) {
	if len(b) == 0 || b[0] != '@' {
		return b, FaultNone
	}
	for len(b) > 0 && b[0] == '@' {
		end := domainEnd(b[1:]) + 1
		if end >= len(b) || !validDomain(b[1:end]) {
			return nil, FaultSyntax
		}
		sep := b[end]
		b = b[end+1:]
		if sep == ':' && len(b) > 0 {
			return b, FaultNone
		}
	}
	return nil, FaultSyntax
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
