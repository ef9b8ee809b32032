package reply

import (
	"strconv"
	"strings"
)

// Enhanced is an enhanced status code: class, subject and detail, the latter
// two up to 999 (RFC 3463 section 2).
type Enhanced [3]uint16

// maxPart is the largest subject and detail: three digits.
const maxPart = 999

// ParseEnhanced reads "5.7.708". The class is 2, 4 or 5, no number has a
// leading zero.
func ParseEnhanced(s string) (e Enhanced, ok bool) {
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, _ := strings.Cut(rest, ".")
	if class != "2" && class != "4" && class != "5" {
		return e, false
	}
	for i, part := range [...]string{class, subject, detail} {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || n > maxPart || strconv.FormatUint(n, 10) != part {
			return Enhanced{}, false
		}
		e[i] = uint16(n)
	}
	return e, true
}

// Of is the enhanced code with the class of a reply code.
func (e Enhanced) Of(code int) Enhanced {
	e[0] = uint16(code / 100)
	return e
}

// Zero reports whether there is none.
func (e Enhanced) Zero() bool { return e == Enhanced{} }

// String is "5.7.708".
func (e Enhanced) String() string { return string(e.Append(nil)) }

// Append writes "5.7.708" behind b.
func (e Enhanced) Append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(e[0]), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(e[1]), 10)
	b = append(b, '.')
	return strconv.AppendUint(b, uint64(e[2]), 10)
}
