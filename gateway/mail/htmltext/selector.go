package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

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
