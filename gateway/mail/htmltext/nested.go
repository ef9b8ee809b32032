package htmltext

import (
	"bytes"

	"postern/gateway/mail/htmltext/css"
)

// nested takes the rules that stand in a rule, and returns the declarations
// around them.
func (s *sheet) nested(selectors, body []byte, depth int) (decls []byte) {
	for {
		brace := bytes.IndexByte(body, '{')
		if brace < 0 {
			return append(decls, body...)
		}
		from := bytes.LastIndexByte(body[:brace], ';') + 1
		head, inside := css.Trim(body[from:brace]), body[brace+1:]
		decls = append(decls, body[:from]...)
		end := css.ClosingBrace(inside)
		body = inside[min(end+1, len(inside)):]
		inside = inside[:end]
		switch {
		case depth >= maxNested || len(head) == 0:
		case head[0] != '@':
			if head = css.NestedHead(selectors, head); len(head) <= css.MaxHead {
				s.add(head, inside, depth+1)
			}
		case css.AtRuleApplies(head):
			s.add(selectors, inside, depth+1)
		case css.HasFold(head, "@media"):
			s.elsewhere().add(selectors, inside, depth+1)
		}
	}
}
