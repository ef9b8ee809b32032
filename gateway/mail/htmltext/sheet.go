package htmltext

import (
	"bytes"
	"slices"

	"golang.org/x/net/html/atom"
)

// Bounds of the style sheets of one page: what lies beyond styles nothing.
const (
	maxSheet   = 512 << 10 // octets
	maxRules   = 4096
	maxMatches = 4 << 20 // comparisons of a selector with an element
)

// pageWidth is the width, in pixels, that media queries are asked for.
const pageWidth = 1000

// sheet is the style sheets of a page: a small part of CSS, selectors of tags,
// classes and ids and the combinators between them.
type sheet struct {
	octets int
	rules  []rule
	byKey  map[string][]int32 // "#id", ".class" or "tag" of the last compound, "*" for any
	tries  int
}

// rule is one selector with its declarations.
type rule struct {
	selector selector
	weight   uint64 // specificity, then order
	decls    []declaration
}

// read takes the text of a style element.
func (s *sheet) read(text, media []byte) {
	if s.octets += len(text); s.octets > maxSheet || !mediaApplies(media) {
		return
	}
	text = dropComments(text)
	for _, mark := range []string{"<!--", "-->"} {
		text = bytes.ReplaceAll(text, []byte(mark), nil)
	}
	s.block(text, 0)
}

// block reads rules, those of at-rules that apply included.
func (s *sheet) block(text []byte, depth int) {
	for len(text) > 0 && len(s.rules) < maxRules {
		text = trim(text)
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
		head, body := trim(text[:brace]), text[brace+1:]
		end := closingBrace(body)
		inside := body[:end]
		text = body[min(end+1, len(body)):]
		switch {
		case len(head) == 0 || head[0] != '@':
			s.add(head, inside)
		case depth < 4 && atRuleApplies(head):
			s.block(inside, depth+1)
		}
	}
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

func atRuleApplies(head []byte) bool {
	name, rest := word(head[1:])
	switch {
	case is(name, "media"):
		return mediaApplies(rest)
	case is(name, "supports"), is(name, "layer"):
		return true
	}
	return false
}

// mediaApplies says whether one of the queries is true of a mail reader's
// window on a screen.
func mediaApplies(queries []byte) bool {
	if len(trim(queries)) == 0 {
		return true
	}
	for q := range bytes.SplitSeq(queries, []byte(",")) {
		if queryApplies(trim(q)) {
			return true
		}
	}
	return false
}

func queryApplies(q []byte) bool {
	for len(q) > 0 {
		var w []byte
		w, q = word(q)
		switch {
		case len(w) == 0 || is(w, "and") || is(w, "only") || is(w, "screen") || is(w, "all"):
		case w[0] == '(':
			name, value, _ := bytes.Cut(bytes.Trim(w, "()"), []byte(":"))
			px, ok := parseLength(trim(value), defaultSize, pageWidth)
			switch name = trim(name); {
			case ok && is(name, "min-width") && px <= pageWidth:
			case ok && is(name, "max-width") && px >= pageWidth:
			default:
				return false
			}
		default:
			return false
		}
	}
	return true
}

// add takes a rule: its selectors and what it declares.
func (s *sheet) add(selectors, body []byte) {
	var decls []declaration
	declarations(body, func(d declaration) {
		decls = append(decls, declaration{d.prop, d.important, bytes.Clone(d.value)})
	})
	if len(decls) == 0 {
		return
	}
	for text := range bytes.SplitSeq(selectors, []byte(",")) {
		sel, ok := parseSelector(trim(text))
		if !ok || len(s.rules) >= maxRules {
			continue
		}
		if s.byKey == nil {
			s.byKey = map[string][]int32{}
		}
		key := sel[len(sel)-1].key()
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
	for class := range fields(p.get(n, attrClass)) {
		try(lower(append(key[:1], class...)))
	}
	if id := trim(p.get(n, attrID)); len(id) > 0 {
		key[0] = '#'
		try(lower(append(key[:1], id...)))
	}
	if n.tag != 0 {
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

// selector is compounds, the element itself last.
type selector []compound

// compound is what one element must be: "p#id.a.b".
type compound struct {
	tag     tag // 0: any
	id      string
	classes []string
	child   bool // of the element that the compound before names, not only below it
}

// parseSelector reads a selector; false for what isn't known.
func parseSelector(b []byte) (selector, bool) {
	var s selector
	child := false
	for len(b) > 0 && len(s) < 8 {
		n := bytes.IndexAny(b, " \t\n\r\f>")
		if n < 0 {
			n = len(b)
		}
		if n > 0 {
			c, ok := parseCompound(b[:n])
			if !ok {
				return nil, false
			}
			c.child = child
			s, child = append(s, c), false
		}
		for n < len(b) && (blank(b[n]) || b[n] == '>') {
			child = child || b[n] == '>'
			n++
		}
		b = b[n:]
	}
	return s, len(s) > 0 && len(b) == 0 && !child
}

func parseCompound(b []byte) (c compound, ok bool) {
	b = lower(bytes.Clone(unescapeCSS(b)))
	for len(b) > 0 {
		n := 1
		for n < len(b) && b[n] != '.' && b[n] != '#' {
			n++
		}
		part := b[:n]
		b = b[n:]
		if bytes.ContainsAny(part, ":[]()+~&@") {
			return c, false
		}
		switch part[0] {
		case '.':
			c.classes = append(c.classes, string(part[1:]))
		case '#':
			c.id = string(part[1:])
		case '*':
		default:
			if c.tag = atom.Lookup(part); c.tag == 0 {
				return c, false
			}
		}
	}
	return c, true
}

// key is under which a compound is found.
func (c *compound) key() string {
	switch {
	case c.id != "":
		return "#" + c.id
	case len(c.classes) > 0:
		return "." + c.classes[0]
	case c.tag != 0:
		return c.tag.String()
	}
	return "*"
}

func (s selector) specificity() uint64 {
	var sum uint64
	for _, c := range s {
		sum += uint64(len(c.classes)) << 10
		if c.id != "" {
			sum += 1 << 20
		}
		if c.tag != 0 {
			sum++
		}
	}
	return sum
}

// matches says whether the selector names node i.
func (s selector) matches(p *Page, i int32) bool {
	last := len(s) - 1
	if !s[last].matches(p, i) {
		return false
	}
	child := s[last].child
	for k := last - 1; k >= 0; k-- {
		for i = p.nodes[i].parent; i != 0 && !s[k].matches(p, i); i = p.nodes[i].parent {
			if child {
				return false
			}
		}
		if i == 0 {
			return false
		}
		child = s[k].child
	}
	return true
}

func (c *compound) matches(p *Page, i int32) bool {
	n := &p.nodes[i]
	if c.tag != 0 && c.tag != n.tag || c.id != "" && !equalFold(trim(p.get(n, attrID)), c.id) {
		return false
	}
	for _, want := range c.classes {
		found := false
		for class := range fields(p.get(n, attrClass)) {
			found = found || equalFold(class, want)
		}
		if !found {
			return false
		}
	}
	return true
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && bytes.EqualFold(b, []byte(s))
}

// lower changes b.
func lower(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// fields yields the words of an attribute.
func fields(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			for len(b) > 0 && blank(b[0]) {
				b = b[1:]
			}
			n := 0
			for n < len(b) && !blank(b[n]) {
				n++
			}
			if n == 0 || !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}
