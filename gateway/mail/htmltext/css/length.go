package css

import (
	"bytes"
	"strconv"
)

// Unset is a length that no declaration gives.
const Unset = -1 << 20

// DefaultSize is the font size that mail readers start with, in pixels.
const DefaultSize = 16

// ParseLength reads a CSS length in pixels. em is the font size that relative ones
// refer to, whole what 100 % is. False: it is no length, or in an unknown unit.
func ParseLength(v []byte, em, whole float32) (float32, bool) {
	n := 0
	for n < len(v) && (v[n] >= '0' && v[n] <= '9' || v[n] == '.' || n == 0 && (v[n] == '-' || v[n] == '+')) {
		n++
	}
	f, err := strconv.ParseFloat(string(v[:min(n, 32)]), 32)
	if err != nil {
		return 0, false
	}
	x := float32(f)
	switch unit := v[n:]; {
	case len(unit) == 0 || Is(unit, "px"):
	case Is(unit, "pt"):
		x *= 4.0 / 3
	case Is(unit, "pc"):
		x *= 16
	case Is(unit, "in"):
		x *= 96
	case Is(unit, "cm"):
		x *= 37.8
	case Is(unit, "mm"):
		x *= 3.78
	case Is(unit, "rem"):
		x *= DefaultSize
	case Is(unit, "em"):
		x *= em
	case Is(unit, "ex") || Is(unit, "ch"):
		x *= em / 2
	case unit[0] == '%':
		x *= whole / 100
	case Is(unit, "vw") || Is(unit, "vh") || Is(unit, "vmin") || Is(unit, "vmax"):
		x *= 8 // of a page of 800 pixels
	default:
		return 0, false
	}
	return x, true
}

// Is reports whether b is the word, which is in lower case, in whatever case.
func Is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c|0x20 != word[i] && c != word[i] {
			return false
		}
	}
	return true
}

// HasFold reports whether b contains the word, which is in lower case, in whatever
// case.
func HasFold(b []byte, word string) bool {
	for len(b) >= len(word) {
		i := bytes.IndexByte(b, word[0])
		if j := bytes.IndexByte(b, word[0]&^0x20); word[0] >= 'a' && j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i < 0 || len(b)-i < len(word) {
			return false
		}
		if Is(b[i:i+len(word)], word) {
			return true
		}
		b = b[i+1:]
	}
	return false
}

// Blank reports whether an octet is white space to CSS.
func Blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

// Trim returns b without the white space around it.
func Trim(b []byte) []byte {
	for len(b) > 0 && Blank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && Blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// Word cuts the first word off a value, at a blank, a comma or a slash; a function's
// arguments belong to its word.
func Word(v []byte) (first, rest []byte) {
	v = Trim(v)
	depth := 0
	for i, c := range v {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && (Blank(c) || c == ',' || c == '/'):
			return v[:i], v[i+1:]
		}
	}
	return v, nil
}
