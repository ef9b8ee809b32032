package htmltext

import (
	"strings"

	"golang.org/x/net/html/atom"

	"postern/gateway/text"
)

// Text is the page as plain text.
func (p *Page) Text() string {
	r := renderer{Page: p}
	return r.run()
}

// Markdown is the page as Markdown (CommonMark, and GFM's tables).
func (p *Page) Markdown() string {
	r := renderer{Page: p, markdown: true}
	r.w.soft, r.w.escape = "  ", escapeMarkdown
	return r.run()
}

// renderer writes the visible tree.
type renderer struct {
	*Page
	w        writer
	markdown bool
	bare     bool // nothing is added: the tests' view
	list     *list
	pictures int  // images without words so far
	strong   bool // what Markdown marks already
	slanted  bool
	struck   bool
	quotes   *quotes // nil where nobody asks
}

func (r *renderer) run() string {
	r.w.start = -1
	r.w.out = make([]byte, 0, len(r.chars)/2)
	r.walk(0)
	r.w.end()
	return string(r.w.out)
}

func (r *renderer) walk(i int32) {
	for c := r.nodes[i].first; c != 0; c = r.nodes[c].next {
		switch n := &r.nodes[c]; {
		case n.why != Shown:
		case n.tag != textTag && r.quotes != nil:
			r.quoted(c, n)
		case n.tag != textTag:
			r.element(c, n)
		default:
			r.words(c, n)
		}
	}
}

// words writes a run of text.
func (r *renderer) words(c int32, n *node) {
	from := len(r.w.out)
	if n.flags&keepBlanks != 0 && !r.w.oneLine {
		r.w.lines(r.text(n))
	} else {
		r.w.words(r.text(n))
	}
	if r.quotes != nil {
		for from < len(r.w.out) && strings.IndexByte("\n\t >", r.w.out[from]) >= 0 {
			from++
		}
		r.quotes.wrote(c, from, len(r.w.out))
	}
}

// element writes one element and what is in it.
func (r *renderer) element(c int32, n *node) {
	switch n.tag {
	case atom.Br:
		r.w.lineEnd()
	case atom.Hr:
		r.rule()
	case atom.Img, atom.Image:
		r.image(n)
	case atom.Input:
		r.input(n)
	case atom.A:
		r.around(n, func() { r.link(c, n) })
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		r.around(n, func() { r.listOf(c, n) })
	case atom.Li:
		r.around(n, func() { r.item(c, n) })
	case atom.Blockquote:
		r.around(n, func() { r.quote(c, n) })
	case atom.Table:
		r.around(n, func() { r.table(c, n) })
	case atom.Tr:
		r.row(c)
	case atom.Q:
		r.added(`"`)
		r.walk(c)
		r.closing(`"`)
	default:
		r.around(n, func() { r.plain(c, n) })
	}
}

// around writes an element between the line ends that it asks for.
func (r *renderer) around(n *node, f func()) {
	ends := r.ends(n)
	if n.flags&continuation == 0 {
		r.w.breakLine(ends)
	}
	f()
	if n.flags&continued == 0 {
		r.w.breakLine(ends)
	}
}

// ends is how many line ends an element has around.
func (r *renderer) ends(n *node) int {
	c := n.class
	switch {
	case n.flags&asInline != 0:
		return 0
	case n.tag == atom.Table:
		return 1
	case c&spaced != 0 && n.flags&tight == 0 && !(r.list != nil && isList(n.tag)):
		return 2
	case c&block != 0 || n.flags&asBlock != 0:
		return 1
	}
	return 0
}

func isList(t tag) bool { return t == atom.Ul || t == atom.Ol || t == atom.Menu || t == atom.Dir }

// plain writes an element that is nothing but its content; Markdown marks some.
func (r *renderer) plain(c int32, n *node) {
	if !r.markdown || r.w.oneLine && isHeading(n.tag) {
		r.walk(c)
		return
	}
	switch n.tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		r.heading(c, n)
	case atom.B, atom.Strong:
		r.emphasis(c, "**")
	case atom.I, atom.Em, atom.Cite:
		r.emphasis(c, "*")
	case atom.S, atom.Del, atom.Strike:
		r.emphasis(c, "~~")
	case atom.Code, atom.Tt, atom.Samp, atom.Kbd:
		r.code(c)
	case atom.Pre:
		r.fence(c)
	default:
		r.walk(c)
	}
}

// added writes what the mail doesn't say in so many characters.
func (r *renderer) added(s string) {
	if !r.bare {
		r.w.raw(s)
	}
}

// closing adds to the last word.
func (r *renderer) closing(s string) {
	if !r.bare {
		r.w.tightly(s)
	}
}

func (r *renderer) rule() {
	r.w.breakLine(2)
	if !r.bare && r.w.begun {
		r.w.raw("---")
	}
	r.w.breakLine(2)
}

// image writes what stands for an image.
func (r *renderer) image(n *node) {
	alt := strings.TrimSpace(string(r.get(n, attrAlt)))
	switch {
	case n.flags&spacer != 0:
	case alt == "":
		r.pictures++
	default:
		if src := r.get(n, attrSrc); r.markdown && !r.w.oneLine && strings.HasPrefix(string(src), "cid:") {
			r.w.raw("![")
			escapeMarkdown(&r.w, []byte(alt))
			r.w.tightly("](" + markdownURL(text.Clip(string(src), maxTarget)) + ")")
			return
		}
		r.w.words([]byte(alt))
	}
}

// input writes what a form's field shows.
func (r *renderer) input(n *node) {
	if showsValue(r.get(n, attrType)) {
		r.w.words(r.get(n, attrValue))
	}
}

// showsValue says whether a kind of field shows its value.
func showsValue(kind []byte) bool {
	switch strings.ToLower(string(kind)) {
	case "checkbox", "radio", "image", "file", "password", "color", "range", "hidden":
		return false
	}
	return true
}

// quote writes a blockquote.
func (r *renderer) quote(c int32, n *node) {
	if n.flags&noQuote != 0 || r.bare {
		r.walk(c)
		return
	}
	list := r.list
	r.list = nil
	pop := r.w.push("", "> ")
	r.walk(c)
	pop()
	r.list = list
}
