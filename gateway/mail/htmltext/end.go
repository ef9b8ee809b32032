package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

// end takes an end tag.
func (b *builder) end(t tag, name []byte) {
	c := classes[t]
	switch {
	case t == atom.Br:
		b.insert(atom.Br, c)
	case t == atom.P && b.find(boundary, atom.P) == 0:
		b.push(atom.P, c)
		b.pop()
	case t == atom.Html || t == atom.Body || c&void != 0: // what follows still is the body's
	case t == atom.Head:
		if b.nodes[b.top()].tag == atom.Head {
			b.pop()
		}
	case isHeading(t):
		b.close(b.find(boundary, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6))
	case t == atom.Table || t == atom.Tr || t == atom.Td || t == atom.Th || t == atom.Caption || t == atom.Tbody || t == atom.Thead || t == atom.Tfoot:
		b.endInTable(t)
	case t == atom.Object || t == atom.Marquee || t == atom.Applet || t == atom.Template || t == atom.Button:
		b.close(b.find(0, t))
	case c&formatting != 0:
		b.endFormatting(t)
	case c&special != 0:
		b.close(b.find(boundary, t))
	default:
		b.endOther(t, name)
	}
}

// close closes the element at a place and all in it; place 0 is none.
func (b *builder) close(place int) {
	if place > 0 {
		b.popTo(place)
	}
}

// endInTable closes a part of the innermost table.
func (b *builder) endInTable(t tag) {
	for i := len(b.open) - 1; i > 0; i-- {
		switch b.nodes[b.open[i]].tag {
		case t:
			b.popTo(i)
			return
		case atom.Table:
			return
		}
	}
}

// endOther closes an element that is no block, unless a block hides it.
func (b *builder) endOther(t tag, name []byte) {
	for i := len(b.open) - 1; i > 0; i-- {
		n := &b.nodes[b.open[i]]
		if n.tag == t && (t != 0 || bytes.Equal(b.text(n), name)) {
			b.popTo(i)
			return
		}
		if n.class&special != 0 {
			return
		}
	}
}

// endFormatting closes a formatting element. Blocks in it stay open, without
// the formatting: the "adoption agency" (HTML 13.2.6.4.7).
func (b *builder) endFormatting(t tag) {
	place, blocks := 0, false
	for i := len(b.open) - 1; i > 0 && place == 0; i-- {
		switch n := b.nodes[b.open[i]]; {
		case n.tag == t:
			place = i
		case n.class&boundary != 0:
			b.deactivateLast(t)
			return
		case n.class&special != 0:
			blocks = true
		}
	}
	if place == 0 {
		b.deactivateLast(t)
		return
	}
	i := b.open[place]
	if !blocks {
		b.popTo(place)
		b.deactivate(i)
		return
	}
	b.deactivate(i)
	b.nodes[i].flags &^= isOpen
	b.leave(i)
	above := append([]int32(nil), b.open[place+1:]...)
	b.open = b.open[:place]
	for _, old := range above {
		b.nodes[old].flags = b.nodes[old].flags&^isOpen | continued
		b.leave(old)
		c := b.clone(old)
		b.nodes[c].flags |= continuation
		b.replaceActive(old, c)
	}
}

// clone opens an element like another one.
func (b *builder) clone(old int32) int32 {
	i := b.insert(b.nodes[old].tag, b.nodes[old].class)
	n, o := &b.nodes[i], &b.nodes[old]
	n.attr, n.attrCount, n.off, n.size = o.attr, o.attrCount, o.off, o.size
	n.flags |= isOpen | o.flags&hasTable
	b.open = append(b.open, i)
	return i
}
