package htmltext

import (
	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// resolve computes what is seen: it sets why and the layout flags of each node.
func (p *Page) resolve(s *sheet) {
	root := style{em: css.DefaultSize, ink: css.Black, ground: css.White}
	if len(s.rules) > 0 {
		p.htmlless, p.bodyless = !p.hasTag(atom.Html), !p.hasTag(atom.Body)
		b := newBox(&root)
		b.cascade(p, 0, &p.nodes[0], s)
		root = b.style
	}
	p.resolveChildren(0, &root, s)
}

// hasTag says whether the HTML has the html or body element's tag.
func (p *Page) hasTag(t tag) bool {
	for c := range p.children(0) {
		if p.nodes[c].tag == t {
			return true
		}
		for g := range p.children(c) {
			if p.nodes[c].tag == atom.Html && p.nodes[g].tag == t {
				return true
			}
		}
	}
	return false
}

func (p *Page) resolveChildren(i int32, in *style, s *sheet) {
	hidden := in.hidesText()
	for c := p.nodes[i].first; c != 0; c = p.nodes[c].next {
		n := &p.nodes[c]
		if n.tag == textTag {
			n.why = hidden
			if in.blanks {
				n.flags |= keepBlanks
			}
			continue
		}
		p.resolveElement(c, n, in, s)
	}
}

func (p *Page) resolveElement(c int32, n *node, in *style, s *sheet) {
	class := n.class
	if class&unseen != 0 || n.tag == atom.Input && css.Is(p.get(n, attrType), "hidden") {
		n.why = Unrendered
		return
	}
	b := newBox(in)
	b.ownDefaults(p, n)
	b.attributes(p, n)
	b.cascade(p, c, n, s)
	n.why = b.hides(class&(block|void) == 0 && b.display <= css.DisplayInline && !b.placed)
	if n.why != Shown && s.other.shows(p, c) {
		n.flags |= elsewhere
	}
	if n.tag == atom.Img && n.why == Shown && b.style.invisible {
		n.why = Invisible
	}
	n.flags |= b.layout(class)
	if n.tag == atom.Img && (tiny(p.get(n, attrWidth)) || tiny(p.get(n, attrHeight)) || b.width >= 0 && b.width <= 2 || b.height >= 0 && b.height <= 2) {
		n.flags |= spacer
	}
	if n.why == Shown && n.first != 0 {
		p.resolveChildren(c, &b.style, s)
		if n.tag == atom.Select {
			p.selectOne(c)
		}
	}
}

func (p *Page) has(n *node, key attrKey) bool {
	_, ok := p.lookup(n, key)
	return ok
}

// ownDefaults takes what an element is without any style.
func (b *box) ownDefaults(p *Page, n *node) {
	switch n.tag {
	case atom.A:
		if p.has(n, attrHref) {
			b.style.ink = css.LinkBlue
		}
	case atom.Dialog:
		if !p.has(n, attrOpen) {
			b.display = css.DisplayNone
		}
	case atom.Mark:
		b.style.ground, b.style.ink, b.style.picture = 0xffffff00, css.Black, false
	case atom.Pre, atom.Textarea, atom.Listing, atom.Xmp, atom.Plaintext:
		b.style.blanks = true
	case atom.Table:
		b.style.indent = 0
	}
}

// cascade applies the sheets' rules and the style attribute in their order.
func (b *box) cascade(p *Page, c int32, n *node, s *sheet) {
	var important [16]css.Declaration
	last := important[:0]
	var later []css.Declaration // from the first that refers to custom properties on
	take := func(d css.Declaration) {
		switch {
		case d.Important:
			last = append(last, d)
		case d.Prop == css.PropCustom:
			b.style.custom = p.define(b.style.custom, d.Value)
		case later != nil || d.Refers:
			later = append(later, d)
		default:
			b.apply(d)
		}
	}
	if len(s.rules) > 0 {
		s.matching(p, c, func(r *rule) {
			for _, d := range r.decls {
				take(d)
			}
		})
	}
	if v := p.get(n, attrStyle); len(v) > 0 {
		css.Declarations(v, take)
	}
	for _, d := range last {
		if d.Prop == css.PropCustom {
			b.style.custom = p.define(b.style.custom, d.Value)
		}
	}
	for _, d := range later {
		b.settle(p, d)
	}
	for _, d := range last {
		b.settle(p, d)
	}
}

// settle applies a declaration once the custom properties are known.
func (b *box) settle(p *Page, d css.Declaration) {
	switch {
	case d.Prop == css.PropCustom:
	case d.Refers:
		b.applyCustom(p, d)
	default:
		b.apply(d)
	}
}

// layout says how an element is laid out where its style changes that.
func (b *box) layout(c class) flag {
	var f flag
	switch {
	case b.display == css.DisplayInline && c&block != 0:
		f |= asInline
	case b.display == css.DisplayBlock && c&block == 0:
		f |= asBlock
	}
	if b.marginTop != css.Unset && b.marginTop < 2 && b.marginBottom != css.Unset && b.marginBottom < 2 {
		f |= tight
	}
	if b.unlisted {
		f |= noMarks
	}
	if b.unframed {
		f |= noQuote
	}
	return f
}

// selectOne hides the options that a closed list doesn't show.
func (p *Page) selectOne(list int32) {
	var options []int32
	chosen := 0
	var walk func(int32)
	walk = func(i int32) {
		for c := range p.children(i) {
			if p.nodes[c].tag == atom.Option {
				if p.has(&p.nodes[c], attrSelected) {
					chosen = len(options)
				}
				options = append(options, c)
			} else {
				walk(c)
			}
		}
	}
	walk(list)
	for k, c := range options {
		if k != chosen {
			p.nodes[c].why = Unrendered
		}
	}
}

// tiny says whether an image's width or height is that of nothing to see.
func tiny(v []byte) bool {
	x, ok := css.ParseLength(css.Trim(v), css.DefaultSize, css.PageWidth)
	return ok && x <= 2
}
