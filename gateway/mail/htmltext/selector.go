package htmltext

import (
	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// selector is compounds, the element itself last.
type selector []compound

// compound is what one element must be: "p#id.a.b[c=d]:not(.e)".
type compound struct {
	tag        tag    // 0: any
	name       string // of a tag that HTML doesn't know
	id         string
	classes    []string
	conditions []condition
	relation   byte // to the compound before: ' ' below, '>' child, '+' next, '~' later sibling
}

// maxSteps bounds the elements that the selectors of a page look at around the
// one they are asked for.
const maxSteps = 1 << 21

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
	for i := range c.conditions {
		if d := &c.conditions[i]; d.kind == isAny && len(d.any) == 1 {
			return d.any[0].key()
		}
	}
	return "*"
}

func (s selector) key() string { return s[len(s)-1].key() }

// specificity is three counts: ids, classes and their like, tags (Selectors 4, 17).
func (s selector) specificity() uint64 {
	var sum uint64
	for i := range s {
		c := &s[i]
		sum += uint64(len(c.classes)) << 10
		if c.id != "" {
			sum += 1 << 20
		}
		if c.tag != 0 || c.name != "" {
			sum++
		}
		for k := range c.conditions {
			sum += c.conditions[k].specificity()
		}
	}
	return sum
}

// matches says whether the selector names node i.
func (s selector) matches(p *Page, i int32) bool {
	last := len(s) - 1
	return s[last].matches(p, i) && s.around(p, last, i)
}

// around says whether node i, which compound k names, stands to others as the
// compounds before k want.
func (s selector) around(p *Page, k int, i int32) bool {
	if k == 0 {
		return true
	}
	how, before := s[k].relation, s[k-1].relation
	for i != 0 {
		if how == ' ' || how == '>' {
			i = p.nodes[i].parent
		} else if i = p.elementBefore(i); i == 0 {
			return false
		}
		if p.steps++; p.steps > maxSteps {
			return false
		}
		switch fits := s[k-1].matches(p, i); {
		case fits && s.around(p, k-1, i):
			return true
		case how == '>' || how == '+' || fits && (before == ' ' || before == how):
			return false // what lies further off has fewer around it still
		}
	}
	return false
}

// elementBefore is the sibling before a node, 0 for none.
func (p *Page) elementBefore(i int32) int32 {
	for i = p.nodes[i].prev; i != 0 && p.nodes[i].tag == textTag; i = p.nodes[i].prev {
		if p.steps++; p.steps > maxSteps {
			return 0
		}
	}
	return i
}

func (c *compound) matches(p *Page, i int32) bool {
	n := &p.nodes[i]
	if i == 0 {
		return c.matchesRoot(p)
	}
	if c.tag != 0 && c.tag != n.tag || c.id != "" && !css.EqualFold(css.Trim(p.get(n, attrID)), c.id) {
		return false
	}
	if c.name != "" && (n.tag != 0 || !css.EqualFold(p.text(n), c.name)) {
		return false
	}
	for _, want := range c.classes {
		if !p.hasClass(n, want) {
			return false
		}
	}
	for k := range c.conditions {
		if !c.conditions[k].holds(p, i) {
			return false
		}
	}
	return true
}

// matchesRoot takes the root for the html and body elements that a page leaves out.
func (c *compound) matchesRoot(p *Page) bool {
	if c.id != "" || c.name != "" || len(c.classes) > 0 {
		return false
	}
	switch {
	case c.tag == atom.Body:
		return p.bodyless && len(c.conditions) == 0
	case c.tag == atom.Html && len(c.conditions) == 0:
		return p.htmlless
	}
	return p.htmlless && (c.tag == 0 || c.tag == atom.Html) && len(c.conditions) == 1 && c.conditions[0].kind == isRoot
}

func (p *Page) hasClass(n *node, want string) bool {
	for class := range css.Fields(p.get(n, attrClass)) {
		if css.EqualFold(class, want) {
			return true
		}
	}
	return false
}
