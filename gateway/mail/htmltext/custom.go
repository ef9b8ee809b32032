package htmltext

import (
	"bytes"

	"postern/gateway/mail/htmltext/css"
)

// custom is a custom property, and those defined before it and around it: what
// "var(--name)" stands for.
type custom struct {
	name, value []byte
	depth       int
	before      int32 // place in Page.customs, where 0 is none
}

// Bounds of custom properties: what lies beyond is not defined.
const (
	maxCustom      = 256 // in force at one element
	maxCustomDepth = 8   // references in references
	maxCustomValue = 1 << 10
)

// define takes "--name: value" on top of what is in force, and returns what is
// then.
func (p *Page) define(before int32, text []byte) int32 {
	if len(p.customs) == 0 {
		p.customs = make([]custom, 1)
	}
	name, value, _ := bytes.Cut(text, []byte(":"))
	c := custom{css.Trim(name), css.Trim(value), p.customs[before].depth + 1, before}
	if c.depth > maxCustom {
		return before
	}
	p.customs = append(p.customs, c)
	return int32(len(p.customs) - 1)
}

// applyCustom applies a declaration that refers to custom properties. One that
// isn't defined makes the property what it is at first (CSS Variables 3.1).
func (b *box) applyCustom(p *Page, d css.Declaration) {
	budget := maxCustomValue
	v, ok := p.replace(b.style.custom, d.Value, 0, &budget)
	if v = css.Trim(v); !ok || len(v) == 0 {
		v = []byte("initial")
	}
	d.Value = v
	b.apply(d)
}

// replace puts values in place of references.
func (p *Page) replace(in int32, v []byte, depth int, budget *int) (out []byte, ok bool) {
	for {
		i := css.IndexVar(v)
		if *budget -= len(v) + 1; *budget < 0 || depth > maxCustomDepth {
			return nil, false
		}
		if i < 0 {
			return append(out, v...), true
		}
		out = append(out, v[:i]...)
		arg, rest := css.ClosingParen(v[i+len("var("):])
		name, fallback, has := bytes.Cut(arg, []byte(","))
		value, found := p.find(in, css.Trim(name))
		if !found {
			value, found = fallback, has
		}
		value, ok = p.replace(in, value, depth+1, budget)
		if !found || !ok {
			return nil, false
		}
		out, v = append(out, value...), rest
	}
}

func (p *Page) find(in int32, name []byte) ([]byte, bool) {
	for in != 0 {
		c := &p.customs[in]
		if bytes.Equal(c.name, name) {
			return c.value, !css.Is(c.value, "initial")
		}
		in = c.before
	}
	return nil, false
}
