// Package param reads the parameters of MAIL and RCPT (RFC 5321 section
// 4.1.2) and the values of those that have a grammar of their own. What it
// accepts holds no control character and may be handed on.
package param

import (
	"bytes"
	"math"
	"strings"

	"postern/gateway/text"
)

// Lengths of RFC 3461 section 4.
const (
	MaxEnvID = 100
	maxORcpt = 500 // octets
)

// Param is one "keyword[=value]" of MAIL or RCPT (RFC 5321 section 4.1.2).
type Param struct {
	key      []byte
	Value    []byte // without "="; nil where there is none
	HasValue bool
}

// Next takes the first parameter off b.
func Next(b []byte) (p Param, rest []byte, ok bool) {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	end := 0
	for end < len(b) && !blank(b[end]) {
		end++
	}
	word, rest := b[:end], b[end:]
	eq := bytes.IndexByte(word, '=')
	if eq >= 0 {
		p.Value, p.HasValue = word[eq+1:], true
		word = word[:eq]
	}
	p.key = word
	return p, rest, validParam(p)
}

func validParam(p Param) bool {
	if len(p.key) == 0 || !alnum(p.key[0]) || (p.HasValue && len(p.Value) == 0) {
		return false
	}
	for _, c := range p.key {
		if !alnum(c) && c != '-' {
			return false
		}
	}
	for _, c := range p.Value {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// Is reports whether the parameter has the keyword, in any case.
func (p Param) Is(key string) bool { return text.IsWord(p.key, key) }

// Number reads 1*20DIGIT; what doesn't fit is the largest number there is.
func Number(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// Xtext reads xtext (RFC 3461 section 4); bytes above 0x7f pass, for
// the UTF-8 addresses of RFC 6533.
func Xtext(b []byte) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '+':
			if i+2 >= len(b) || hex(b[i+1]) < 0 || hex(b[i+2]) < 0 {
				return "", false
			}
			out.WriteByte(byte(hex(b[i+1])<<4 | hex(b[i+2])))
			i += 2
		case c <= ' ' || c == '=' || c == 0x7f:
			return "", false
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), true
}

// hex is the value of an upper-case hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Printable reports whether a decoded xtext may be handed on: an ENVID or
// ORCPT is put into reports, where a line end would forge a field.
func Printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// By reads DELIVERBY's by-value: [-]1*9DIGIT ";" (R|N) ["T"] (RFC 2852
// section 4). A time that has passed makes sense only with N.
func By(b []byte) bool {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	digits := 0
	for digits < len(b) && b[digits] >= '0' && b[digits] <= '9' {
		digits++
	}
	n, ok := Number(b[:digits])
	if !ok || digits > 9 || digits == len(b) || b[digits] != ';' {
		return false
	}
	mode := b[digits+1:]
	if len(mode) == 2 && text.IsWord(mode[1:], "T") {
		mode = mode[:1]
	}
	return text.IsWord(mode, "N") || text.IsWord(mode, "R") && !negative && n > 0
}

// Notify reads NOTIFY's value: NEVER alone, or a list of the others.
func Notify(b []byte) ([]string, bool) {
	if text.IsWord(b, "NEVER") {
		return []string{"NEVER"}, true
	}
	var list []string
	for word := range bytes.SplitSeq(b, []byte{','}) {
		switch {
		case text.IsWord(word, "SUCCESS"):
			list = append(list, "SUCCESS")
		case text.IsWord(word, "FAILURE"):
			list = append(list, "FAILURE")
		case text.IsWord(word, "DELAY"):
			list = append(list, "DELAY")
		default:
			return nil, false
		}
	}
	return list, true
}

// ORcpt reads ORCPT's value: an address type, ";" and xtext.
func ORcpt(b []byte) (string, bool) {
	kind, addr, ok := bytes.Cut(b, []byte{';'})
	if !ok || len(kind) == 0 || len(addr) == 0 || len(b) > maxORcpt {
		return "", false
	}
	for _, c := range kind {
		if !alnum(c) && c != '-' {
			return "", false
		}
	}
	text, ok := Xtext(addr)
	return string(kind) + ";" + text, ok && Printable(text)
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
