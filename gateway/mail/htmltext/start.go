package htmltext

import (
	"bytes"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// startTag takes a start tag: it closes what the element ends, and opens it.
func (b *builder) startTag(z *html.Tokenizer) {
	name, more := z.TagName()
	t := atom.Lookup(name)
	if t == atom.Noscript {
		z.NextIsNotRawText() // nobody runs a mail's scripts
	}
	c := classes[t]
	if b.ignores(t) {
		b.again(t, z, more)
		return
	}
	b.makeRoom(t, c)
	if c&(special|unseen) == 0 || t == atom.Br || t == atom.Img || t == atom.Input || t == atom.Button || t == atom.Select || t == atom.Textarea {
		b.reopen()
	}
	var i int32
	switch {
	case c&void != 0 || t == atom.Form && b.nodes[b.top()].class&ofTable != 0: // a form in a table is left at once
		i = b.insert(t, c)
	default:
		i = b.push(t, c)
	}
	if t == 0 {
		b.nodes[i].off, b.nodes[i].size = b.keep(name)
	}
	b.readAttrs(i, z, more)
	switch {
	case c&formatting != 0:
		b.activate(i)
	case t == atom.Head:
		b.head = i
	case t == atom.Td || t == atom.Th || t == atom.Caption || t == atom.Object || t == atom.Marquee || t == atom.Applet || t == atom.Template:
		b.active = append(b.active, 0)
	}
}

// ignores says whether a start tag opens nothing where it stands.
func (b *builder) ignores(t tag) bool {
	switch t {
	case atom.Html, atom.Body, atom.Head:
		return b.nodes[0].first != 0 && (t == atom.Head && b.head != 0 || t != atom.Head && b.has(t))
	case atom.Td, atom.Th, atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption, atom.Colgroup, atom.Col:
		return b.tables == 0
	case atom.Form:
		return b.find(0, atom.Form) > 0
	case atom.Frame, atom.Frameset:
		return true
	}
	return false
}

func (b *builder) has(t tag) bool { return b.find(0, t) > 0 }

// again gives a second <body> or <html> tag's attributes to the first, where
// that has none of them (HTML 13.2.6.4.7).
func (b *builder) again(t tag, z *html.Tokenizer, more bool) {
	place := 0
	if t == atom.Body || t == atom.Html {
		place = b.find(0, t)
	}
	if i := b.open[place]; place > 0 && b.nodes[i].attrCount == 0 {
		b.nodes[i].attr = int32(len(b.attrs))
		b.readAttrs(i, z, more)
	}
}

// maxNames bounds the classes of an element, in octets.
const maxNames = 1 << 10

// readAttrs keeps the attributes that matter.
func (b *builder) readAttrs(i int32, z *html.Tokenizer, more bool) {
	for more {
		var key, val []byte
		key, val, more = z.TagAttr()
		k := attrKeys[string(key)]
		if k == attrNone {
			k = b.names.key(key)
		}
		if k == attrNone || b.nodes[i].attrCount > 30 {
			continue
		}
		switch {
		case k == attrSrc && bytes.HasPrefix(val, []byte("data:")):
			val = val[:5]
		case k == attrClass || k == attrID || k >= attrAsked:
			val = val[:min(len(val), maxNames)]
		}
		a := attr{key: k}
		a.off, a.size = b.keep(val)
		b.attrs = append(b.attrs, a)
		b.nodes[i].attrCount++
	}
}

// makeRoom closes the open elements that the start of another ends.
func (b *builder) makeRoom(t tag, c class) {
	if b.nodes[b.top()].tag == atom.Head && c&inHead == 0 && t != atom.Meta {
		b.pop()
	}
	switch t {
	case atom.Li:
		b.closeItem(atom.Li, atom.Li)
	case atom.Dd, atom.Dt:
		b.closeItem(atom.Dd, atom.Dt)
	case atom.A:
		b.closeActive(atom.A)
	case atom.Nobr:
		b.closeActive(atom.Nobr)
	case atom.Button:
		if place := b.find(boundary, atom.Button); place > 0 {
			b.popTo(place)
		}
	case atom.Option, atom.Optgroup:
		if b.nodes[b.top()].tag == atom.Option {
			b.pop()
		}
	case atom.Select:
		if place := b.find(boundary, atom.Select); place > 0 {
			b.popTo(place)
		}
	case atom.Table:
		if b.nodes[b.top()].class&ofTable != 0 && b.tables > 0 {
			b.popTo(b.openTable())
		}
		if table := b.openTable(); table > 0 {
			b.nodes[b.open[table]].flags |= hasTable
		}
	default:
		b.roomInTable(t)
	}
	if c&closesP != 0 && b.paras > 0 {
		if place := b.find(boundary, atom.P); place > 0 {
			b.popTo(place)
		}
	}
	if isHeading(t) && isHeading(b.nodes[b.top()].tag) {
		b.pop()
	}
}

// roomInTable closes cells, rows and sections for the next one.
func (b *builder) roomInTable(t tag) {
	if b.tables == 0 {
		return
	}
	switch t {
	case atom.Td, atom.Th:
		b.popToAny(atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Table)
		b.imply(atom.Tbody, atom.Table)
		if b.nodes[b.top()].tag != atom.Tr {
			b.push(atom.Tr, classes[atom.Tr])
		}
	case atom.Tr:
		b.popToAny(atom.Tbody, atom.Thead, atom.Tfoot, atom.Table)
		b.imply(atom.Tbody, atom.Table)
	case atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption, atom.Colgroup, atom.Col:
		b.popToAny(atom.Table)
	}
}

// imply opens an element that needs no tag in its parent.
func (b *builder) imply(t, parent tag) {
	if b.nodes[b.top()].tag == parent {
		b.push(t, classes[t])
	}
}

// popToAny closes what is open above the innermost of the given elements.
func (b *builder) popToAny(names ...tag) {
	if place := b.find(0, names...); place > 0 {
		b.popTo(place + 1)
	}
}

// closeItem closes an open list item that no other block hides.
func (b *builder) closeItem(names ...tag) {
	for i := len(b.open) - 1; i > 0; i-- {
		t := b.nodes[b.open[i]].tag
		if t == names[0] || t == names[1] {
			b.popTo(i)
			return
		}
		if b.nodes[b.open[i]].class&special != 0 && t != atom.Address && t != atom.Div && t != atom.P {
			return
		}
	}
}

func isHeading(t tag) bool {
	return t == atom.H1 || t == atom.H2 || t == atom.H3 || t == atom.H4 || t == atom.H5 || t == atom.H6
}
