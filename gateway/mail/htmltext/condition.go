package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"
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
		return ok && d.valueFits(v)
	case isAny, isNone:
		return d.names(p, i) == (d.kind == isAny)
	case isNth:
		return nth(p.position(i)[d.count], d.a, d.b)
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

// nth says whether a place is one of a*n+b, n from 0.
func nth(place int32, a, b int) bool {
	d := int(place) - b
	if a == 0 {
		return d == 0
	}
	return d%a == 0 && d/a >= 0
}

// valueFits compares an attribute's value (Selectors 4, 6.1 and 6.2).
func (d *condition) valueFits(v []byte) bool {
	want := []byte(d.value)
	if d.fold {
		v = lower(bytes.Clone(v))
	}
	switch d.op {
	case 0:
		return true
	case '=':
		return bytes.Equal(v, want)
	case '~':
		for w := range fields(v) {
			if bytes.Equal(w, want) {
				return true
			}
		}
		return false
	case '|':
		return bytes.HasPrefix(v, want) && (len(v) == len(want) || v[len(want)] == '-')
	}
	if len(want) == 0 {
		return false
	}
	switch d.op {
	case '^':
		return bytes.HasPrefix(v, want)
	case '$':
		return bytes.HasSuffix(v, want)
	}
	return bytes.Contains(v, want)
}
