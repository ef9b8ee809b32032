package css

import (
	"bytes"
	"strconv"
)

// Nth reports whether a place among siblings (1 is the first) is one of a*n+b, n from
// 0 on.
func Nth(place int32, a, b int) bool {
	d := int(place) - b
	if a == 0 {
		return d == 0
	}
	return d%a == 0 && d/a >= 0
}

// ParseNth reads "odd", "even", "3" or "2n+1" (CSS Syntax 6).
func ParseNth(arg []byte) (step, start int, ok bool) {
	s := string(Lower(bytes.Join(bytes.Fields(arg), nil)))
	switch s {
	case "odd":
		s = "2n+1"
	case "even":
		s = "2n"
	}
	a, b, stepped := bytes.Cut([]byte(s), []byte("n"))
	if !stepped {
		a, b = []byte("0"), a
	}
	var err, also error
	switch string(a) {
	case "", "+":
		step = 1
	case "-":
		step = -1
	default:
		step, err = strconv.Atoi(string(a))
	}
	if len(b) > 0 {
		start, also = strconv.Atoi(string(b))
	}
	return step, start, err == nil && also == nil && len(s) > 0
}

// Folds reports whether a selector compares an attribute's value without regard to
// case (HTML 4.16.2).
func Folds(attribute string) bool {
	switch attribute {
	case "align", "bgcolor", "charset", "color", "dir", "face", "lang", "media", "method", "rel", "type", "valign":
		return true
	}
	return false
}

// ValueFits compares an attribute's value by a selector's operator: 0 is [a], '=' is
// [a=v], and '~', '|', '^', '$', '*' with a "=" (Selectors 4, 6.1 and 6.2).
func ValueFits(op byte, v, want []byte) bool {
	switch op {
	case 0:
		return true
	case '=':
		return bytes.Equal(v, want)
	case '~':
		for w := range Fields(v) {
			if bytes.Equal(w, want) {
				return true
			}
		}
		return false
	case '|':
		return bytes.HasPrefix(v, want) && (len(v) == len(want) || v[len(want)] == '-')
	}
	if len(want) == 0 {
		return false
	}
	switch op {
	case '^':
		return bytes.HasPrefix(v, want)
	case '$':
		return bytes.HasSuffix(v, want)
	}
	return bytes.Contains(v, want)
}
