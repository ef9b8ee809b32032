package htmltext

import (
	"bytes"
	"slices"

	"postern/gateway/mail/htmltext/css"
)

// Bounds of the style sheets of one page: what lies beyond styles nothing.
const (
	maxSheet   = 512 << 10 // octets
	maxRules   = 4096
	maxMatches = 1 << 20 // comparisons of a selector with an element
	maxNested  = 4       // at-rules, or rules in rules
)

// sheet is the style sheets of a page: the part of CSS that says what is seen.
type sheet struct {
	names  *names
	octets int
	rules  []rule
	byKey  map[string][]int32 // "#id", ".class" or "tag" of the last compound, "*" for any
	tries  int
	other  *sheet // what applies elsewhere: on a phone, in the dark
}

// rule is one selector with its declarations.
type rule struct {
	selector selector
	weight   uint64 // specificity, then order
	decls    []css.Declaration
}

// read takes the text of a style element.
func (s *sheet) read(text, media []byte) {
	if s.octets += len(text); s.octets > maxSheet {
		return
	}
	text = css.DropComments(text)
	for _, mark := range []string{"<!--", "-->"} {
		text = bytes.ReplaceAll(text, []byte(mark), nil)
	}
	if css.MediaApplies(media) {
		s.block(text, 0)
	} else {
		s.elsewhere().block(text, 0)
	}
}

func (s *sheet) elsewhere() *sheet {
	if s.other == nil {
		s.other = &sheet{names: s.names}
	}
	return s.other
}

// block reads rules, those of at-rules that apply included.
func (s *sheet) block(text []byte, depth int) {
	for len(text) > 0 && len(s.rules) < maxRules {
		text = css.Trim(text)
		brace := bytes.IndexByte(text, '{')
		if len(text) > 0 && text[0] == '@' {
			if semi := bytes.IndexByte(text[:max(brace, 0)], ';'); semi >= 0 {
				text = text[semi+1:] // @import, @charset
				continue
			}
		}
		if brace < 0 {
			return
		}
		head, body := css.Trim(text[:brace]), text[brace+1:]
		end := css.ClosingBrace(body)
		inside := body[:end]
		text = body[min(end+1, len(body)):]
		switch {
		case len(head) == 0 || head[0] != '@':
			s.add(head, inside, 0)
		case depth >= maxNested:
		case css.AtRuleApplies(head):
			s.block(inside, depth+1)
		case css.HasFold(head, "@media"):
			s.elsewhere().block(inside, depth+1)
		}
	}
}

// add takes a rule: its selectors and what it declares.
func (s *sheet) add(selectors, body []byte, depth int) {
	body = s.nested(selectors, body, depth)
	var decls []css.Declaration
	css.Declarations(body, func(d css.Declaration) {
		d.Value = bytes.Clone(d.Value)
		decls = append(decls, d)
	})
	for len(decls) > 0 && len(selectors) > 0 && len(s.rules) < maxRules {
		var text []byte
		text, selectors = css.CutTop(selectors, ',')
		r := selectorReader{b: css.Trim(text), names: s.names}
		sel, ok := r.selector()
		if !ok {
			continue
		}
		if s.byKey == nil {
			s.byKey = map[string][]int32{}
		}
		key := sel.key()
		s.byKey[key] = append(s.byKey[key], int32(len(s.rules)))
		s.rules = append(s.rules, rule{sel, sel.specificity()<<32 | uint64(len(s.rules)), decls})
	}
}

// matching calls f for the rules of an element, the strongest last.
func (s *sheet) matching(p *Page, i int32, f func(*rule)) {
	if len(s.rules) == 0 {
		return
	}
	var few [8]int32
	found := few[:0]
	n := &p.nodes[i]
	try := func(key []byte) {
		for _, r := range s.byKey[string(key)] {
			if s.tries++; s.tries > maxMatches {
				return
			}
			if s.rules[r].selector.matches(p, i) && !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	var room [64]byte
	key := append(room[:0], '.')
	for class := range css.Fields(p.get(n, attrClass)) {
		try(css.Lower(append(key[:1], class...)))
	}
	if id := css.Trim(p.get(n, attrID)); len(id) > 0 {
		key[0] = '#'
		try(css.Lower(append(key[:1], id...)))
	}
	switch {
	case i == 0:
		try(append(key[:0], "html"...))
		try(append(key[:0], "body"...))
	case n.tag != 0:
		try(append(key[:0], n.tag.String()...))
	}
	try([]byte("*"))
	if len(found) > 1 {
		slices.SortFunc(found, func(a, b int32) int {
			if s.rules[a].weight < s.rules[b].weight {
				return -1
			}
			return 1
		})
	}
	for _, r := range found {
		f(&s.rules[r])
	}
}

// shows says whether a rule of a sheet that applies elsewhere undoes there what
// hides an element here.
func (s *sheet) shows(p *Page, i int32) bool {
	shows := false
	if s == nil {
		return false
	}
	s.matching(p, i, func(r *rule) {
		for _, d := range r.decls {
			switch d.Prop {
			case css.PropDisplay:
				shows = css.DisplayOf(d.Value) != css.DisplayNone
			case css.PropMaxHeight, css.PropHeight, css.PropWidth, css.PropMaxWidth, css.PropVisibility, css.PropOpacity, css.PropFontSize:
				shows = true
			}
		}
	})
	return shows
}
