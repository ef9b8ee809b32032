package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// condition is what a selector asks beside tag, id and classes.
type condition struct {
	kind  conditionKind
	key   attrKey    // hasAttr
	op    byte       // hasAttr: 0 for any value, or the first octet of the operator
	value string     // hasAttr
	fold  bool       // hasAttr: whatever the case
	any   []selector // isAny, isNone
	light bool       // isAny of ":where": adds no specificity
	a, b  int        // isNth: a*n+b
	count counting   // isNth
}

type conditionKind uint8

const (
	never   conditionKind = iota // ":hover" and what else a mail at rest isn't
	hasAttr                      // "[a=b]"
	isAny                        // ":is()"
	isNone                       // ":not()"
	isNth                        // ":nth-child()" and its like
	isRoot                       // ":root"
	isEmpty                      // ":empty"
)

func (d *condition) specificity() (most uint64) {
	if d.kind != isAny && d.kind != isNone {
		return 1 << 10
	}
	if !d.light {
		for _, s := range d.any {
			most = max(most, s.specificity())
		}
	}
	return most
}

// holds says whether the condition is true of node i, an element.
func (d *condition) holds(p *Page, i int32) bool {
	n := &p.nodes[i]
	switch d.kind {
	case hasAttr:
		v, ok := p.lookup(n, d.key)
		if d.fold {
			v = css.Lower(bytes.Clone(v))
		}
		return ok && css.ValueFits(d.op, v, []byte(d.value))
	case isAny, isNone:
		return d.names(p, i) == (d.kind == isAny)
	case isNth:
		return css.Nth(p.position(i)[d.count], d.a, d.b)
	case isRoot:
		return n.tag == atom.Html
	case isEmpty:
		return n.first == 0
	}
	return false
}

// names says whether one of the condition's selectors names a node.
func (d *condition) names(p *Page, i int32) bool {
	for _, s := range d.any {
		if p.steps++; p.steps > maxSteps {
			return d.kind == isNone // nothing is hidden that wasn't looked at
		}
		if s.matches(p, i) {
			return true
		}
	}
	return false
}
