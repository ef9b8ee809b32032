package htmltext

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Read makes a page of HTML. It never fails: any string is some HTML.
func Read(source string) *Page { return read(source, &Page{}) }

// ReadReply is Read for a page of which parts are taken out (Without).
func ReadReply(source string) *Page {
	return read(source, &Page{source: source, where: make([]place, 1, min(len(source)/20+16, maxNodes/8))})
}

func read(source string, p *Page) *Page {
	if len(source) > maxOctets {
		p.Cut = maxOctets
		source = source[:maxOctets]
	}
	guess := min(len(source)/20+16, maxNodes/8)
	p.nodes = make([]node, 0, guess)
	p.attrs = make([]attr, 0, guess)
	p.chars = make([]byte, 0, len(source)*5/8+16)
	var asked names
	sheet := p.build(source, &asked)
	if asked.late {
		sheet = p.build(source, &asked)
	}
	p.resolve(sheet)
	return p
}

// build makes the tree, with the attributes that are asked for.
func (p *Page) build(source string, asked *names) *sheet {
	p.nodes, p.attrs, p.chars = append(p.nodes[:0], node{}), p.attrs[:0], p.chars[:0]
	if p.where != nil {
		p.where = p.where[:1]
	}
	b := builder{Page: p, open: make([]int32, 1, 64), names: asked, sheet: &sheet{names: asked}}
	b.tokens(source)
	return b.sheet
}

// builder makes the tree, as browsers do (HTML 13.2.6) but for what changes no
// visible character. The root, node 0, is always open.
type builder struct {
	*Page
	open   []int32 // stack of open elements
	active []int32 // formatting elements to open again; 0 is the marker that a cell sets
	names  *names
	sheet  *sheet
	paras  int // open paragraphs
	tables int // open tables
	head   int32
	from   int32 // where the tag or text that is taken starts,
	to     int32 // and ends
	ends   tag   // of the end tag that is taken, 0 for none
}

// tokens feeds the builder with the source.
func (b *builder) tokens(source string) {
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		tt := z.Next()
		if len(b.nodes) >= maxNodes {
			b.Cut = int(b.to)
			return
		}
		b.from, b.to, b.ends = b.to, b.to+int32(len(z.Raw())), 0
		switch tt {
		case html.ErrorToken:
			b.from = int32(len(source))
			b.popTo(1)
			return
		case html.TextToken:
			b.words(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			b.startTag(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			b.ends = atom.Lookup(name)
			b.end(b.ends, name)
		}
	}
}

func (b *builder) top() int32 { return b.open[len(b.open)-1] }

// words takes a run of text.
func (b *builder) words(s []byte) {
	if len(s) == 0 {
		return
	}
	switch t, c := b.nodes[b.top()].tag, b.nodes[b.top()].class; {
	case t == atom.Style:
		b.sheet.read(s, b.get(&b.nodes[b.top()], attrMedia))
		return
	case t == atom.Head || c&ofTable != 0:
		if len(bytes.TrimLeft(s, " \t\n\f\r")) == 0 {
			return
		}
		if t == atom.Head {
			b.pop()
		}
	case c&unseen != 0:
		return
	case t == atom.Textarea || t == atom.Pre || t == atom.Listing:
		if b.nodes[b.top()].first == 0 && s[0] == '\n' { // HTML 13.2.6.4.7
			s = s[1:]
		}
	}
	b.reopen()
	i := b.insert(textTag, 0)
	b.nodes[i].off, b.nodes[i].size = b.keep(s)
}

func (b *builder) keep(s []byte) (off, size int32) {
	off = int32(len(b.chars))
	b.chars = append(b.chars, s...)
	return off, int32(len(s))
}

// insert appends a node where content goes now.
func (b *builder) insert(t tag, c class) int32 {
	i := int32(len(b.nodes))
	b.locate()
	parent := b.top()
	if b.tables > 0 && b.nodes[parent].class&ofTable != 0 && !belongs(t) {
		if table := b.openTable(); table > 0 { // "foster parenting", HTML 13.2.6.1
			b.insertBefore(b.open[table], node{tag: t, class: c, attr: int32(len(b.attrs))})
			return i
		}
	}
	b.nodes = append(b.nodes, node{tag: t, class: c, parent: parent, prev: b.nodes[parent].last, attr: int32(len(b.attrs))})
	if last := b.nodes[parent].last; last != 0 {
		b.nodes[last].next = i
	} else {
		b.nodes[parent].first = i
	}
	b.nodes[parent].last = i
	return i
}

func (b *builder) insertBefore(sibling int32, n node) {
	i, before := int32(len(b.nodes)), b.nodes[sibling].prev
	n.parent, n.prev, n.next = b.nodes[sibling].parent, before, sibling
	b.nodes = append(b.nodes, n)
	b.nodes[sibling].prev = i
	if before != 0 {
		b.nodes[before].next = i
	} else {
		b.nodes[n.parent].first = i
	}
}

// belongs says whether an element may stand directly in a table.
func belongs(t tag) bool {
	switch t {
	case atom.Table, atom.Tbody, atom.Thead, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption, atom.Colgroup, atom.Col, atom.Style, atom.Script, atom.Template, atom.Form:
		return true
	}
	return false
}

// openTable is the innermost open table's place on the stack, 0 for none.
func (b *builder) openTable() int {
	for i := len(b.open) - 1; i > 0; i-- {
		if b.nodes[b.open[i]].tag == atom.Table {
			return i
		}
	}
	return 0
}

// push inserts an element and opens it.
func (b *builder) push(t tag, c class) int32 {
	if len(b.open) >= maxDepth {
		b.pop()
	}
	i := b.insert(t, c)
	b.nodes[i].flags |= isOpen
	b.open = append(b.open, i)
	switch t {
	case atom.P:
		b.paras++
	case atom.Table:
		b.tables++
	}
	return i
}

// pop closes the innermost element.
func (b *builder) pop() {
	i := b.top()
	if i == 0 {
		return
	}
	b.open = b.open[:len(b.open)-1]
	b.nodes[i].flags &^= isOpen
	b.leave(i)
	switch t := b.nodes[i].tag; t {
	case atom.P:
		b.paras--
	case atom.Table:
		b.tables--
	case atom.Td, atom.Th, atom.Caption, atom.Object, atom.Marquee, atom.Applet, atom.Template:
		b.clearActive()
	}
}

// locate notes where the node that is added now stands.
func (b *builder) locate() {
	if b.where != nil {
		b.where = append(b.where, place{b.from, b.to})
	}
}

// leave notes where an element ends.
func (b *builder) leave(i int32) {
	switch {
	case b.where == nil:
	case b.ends != 0 && b.nodes[i].tag == b.ends:
		b.where[i].end = b.to
	default:
		b.where[i].end = max(b.from, b.where[i].end)
	}
}

// popTo closes elements down to the given place on the stack, itself included.
func (b *builder) popTo(place int) {
	for len(b.open) > place {
		b.pop()
	}
}

// find is the place of the innermost open element of the given name that no
// boundary hides, 0 for none.
func (b *builder) find(bounds class, names ...tag) int {
	for i := len(b.open) - 1; i > 0; i-- {
		n := &b.nodes[b.open[i]]
		for _, t := range names {
			if n.tag == t {
				return i
			}
		}
		if n.class&bounds != 0 {
			break
		}
	}
	return 0
}
