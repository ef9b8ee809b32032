package css

import "bytes"

// MaxHead bounds the selectors of a rule in a rule, in octets.
const MaxHead = 4 << 10

// NestedHead writes the selectors of a rule in another one as if it stood alone
// (CSS Nesting 3).
func NestedHead(outer, head []byte) (all []byte) {
	outer = append(append([]byte(":is("), outer...), ')')
	for len(head) > 0 && len(all) <= MaxHead {
		var one []byte
		one, head = CutTop(head, ',')
		one = Trim(one)
		if len(all) > 0 {
			all = append(all, ',')
		}
		if i := bytes.IndexByte(one, '&'); i < 0 {
			all = append(append(all, outer...), ' ')
		}
		all = append(all, bytes.ReplaceAll(one, []byte("&"), outer)...)
	}
	return all
}

// ClosingBrace is where the block ends in whose inside b starts; len(b) where it
// doesn't end.
func ClosingBrace(b []byte) int {
	depth := 0
	for i, c := range b {
		switch c {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return len(b)
}

// CutTop cuts at the first separator outside of brackets and quotes; without one all
// is first.
func CutTop(b []byte, separator byte) (first, rest []byte) {
	depth, quote := 0, byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == separator && depth == 0:
			return b[:i], b[i+1:]
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '[':
			depth++
		case (c == ')' || c == ']') && depth > 0:
			depth--
		}
	}
	return b, nil
}

// EqualFold is bytes.EqualFold.
func EqualFold(b []byte, s string) bool {
	return len(b) == len(s) && bytes.EqualFold(b, []byte(s))
}

// Lower makes the ASCII letters of b itself small, and returns it.
func Lower(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// Fields yields the words of an attribute's value, such as class.
func Fields(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			for len(b) > 0 && Blank(b[0]) {
				b = b[1:]
			}
			n := 0
			for n < len(b) && !Blank(b[n]) {
				n++
			}
			if n == 0 || !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// IndexVar is where a value refers to custom properties, -1 for nowhere.
func IndexVar(v []byte) int {
	for i := 0; i+4 <= len(v); i++ {
		if v[i]|0x20 == 'v' && Is(v[i:i+4], "var(") {
			return i
		}
	}
	return -1
}

// ClosingParen cuts at the parenthesis that closes the one in whose inside b starts;
// without it all is inside.
func ClosingParen(b []byte) (inside, rest []byte) {
	depth, quote := 0, byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')' && depth == 0:
			return b[:i], b[i+1:]
		case c == ')':
			depth--
		}
	}
	return b, nil
}
