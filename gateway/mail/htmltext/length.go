package htmltext

import (
	"bytes"
	"strconv"
)

// unset is a length that no declaration gives.
const unset = -1 << 20

// defaultSize is the font size that mail readers start with, in pixels.
const defaultSize = 16

// parseLength reads a CSS length in pixels: relative ones by the given em and,
// for percentages, whole.
func parseLength(v []byte, em, whole float32) (float32, bool) {
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
	case len(unit) == 0 || is(unit, "px"):
	case is(unit, "pt"):
		x *= 4.0 / 3
	case is(unit, "pc"):
		x *= 16
	case is(unit, "in"):
		x *= 96
	case is(unit, "cm"):
		x *= 37.8
	case is(unit, "mm"):
		x *= 3.78
	case is(unit, "rem"):
		x *= defaultSize
	case is(unit, "em"):
		x *= em
	case is(unit, "ex") || is(unit, "ch"):
		x *= em / 2
	case unit[0] == '%':
		x *= whole / 100
	case is(unit, "vw") || is(unit, "vh") || is(unit, "vmin") || is(unit, "vmax"):
		x *= 8 // of a page of 800 pixels
	default:
		return 0, false
	}
	return x, true
}

// is compares with a lower-case word, whatever the case.
func is(b []byte, word string) bool {
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

// hasFold says whether b contains a lower-case word, whatever the case.
func hasFold(b []byte, word string) bool {
	for len(b) >= len(word) {
		i := bytes.IndexByte(b, word[0])
		if j := bytes.IndexByte(b, word[0]&^0x20); word[0] >= 'a' && j >= 0 && (i < 0 || j < i) {
			i = j
		}
		if i < 0 || len(b)-i < len(word) {
			return false
		}
		if is(b[i:i+len(word)], word) {
			return true
		}
		b = b[i+1:]
	}
	return false
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

func trim(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// word cuts the first word off a value; a function's arguments belong to it.
func word(v []byte) (first, rest []byte) {
	v = trim(v)
	depth := 0
	for i, c := range v {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && (blank(c) || c == ',' || c == '/'):
			return v[:i], v[i+1:]
		}
	}
	return v, nil
}
