package htmltext

import "bytes"

// nested takes the rules that stand in a rule, and returns the declarations
// around them.
func (s *sheet) nested(selectors, body []byte, depth int) (decls []byte) {
	for {
		brace := bytes.IndexByte(body, '{')
		if brace < 0 {
			return append(decls, body...)
		}
		from := bytes.LastIndexByte(body[:brace], ';') + 1
		head, inside := trim(body[from:brace]), body[brace+1:]
		decls = append(decls, body[:from]...)
		end := closingBrace(inside)
		body = inside[min(end+1, len(inside)):]
		inside = inside[:end]
		switch {
		case depth >= maxNested || len(head) == 0:
		case head[0] != '@':
			if head = nestedHead(selectors, head); len(head) <= maxHead {
				s.add(head, inside, depth+1)
			}
		case atRuleApplies(head):
			s.add(selectors, inside, depth+1)
		case hasFold(head, "@media"):
			s.elsewhere().add(selectors, inside, depth+1)
		}
	}
}

// nestedHead writes the selectors of a rule in another one as if it stood alone
// (CSS Nesting 3).
func nestedHead(outer, head []byte) (all []byte) {
	outer = append(append([]byte(":is("), outer...), ')')
	for len(head) > 0 && len(all) <= maxHead {
		var one []byte
		one, head = cutTop(head, ',')
		one = trim(one)
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

// closingBrace is where the block that b starts in ends.
func closingBrace(b []byte) int {
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

// cutTop cuts at the first separator outside of brackets and quotes.
func cutTop(b []byte, separator byte) (first, rest []byte) {
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
