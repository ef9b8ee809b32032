package htmltext

// Bounds of what is read of one page. A mail's HTML is far below; the reader
// says where it stopped (Page.Cut).
const (
	maxOctets = 4 << 20 // of HTML
	maxNodes  = 1 << 17 // elements and runs of text
	maxDepth  = 512     // of open elements, as browsers have it: deeper ones are siblings
)

// Page is the HTML of a mail, read.
type Page struct {
	nodes  []node
	attrs  []attr
	chars  []byte  // what nodes and attrs refer to
	source string  // with where only: the HTML
	where  []place // of each node

	positions          []position // of each node, where a style sheet asks
	customs            []custom
	steps              int  // what selectors looked at
	htmlless, bodyless bool // the HTML has no such tag

	// Cut is how many octets of the HTML were read where it is larger than what
	// is read at all, 0 when all of it was.
	Cut int
}

// node is an element or a run of text. Document order of the links, not of the
// indices, is the order of the page.
type node struct {
	tag                             tag
	class                           class
	flags                           flag
	why                             Reason // not in the outputs, and why; 0 when visible
	parent, first, last, prev, next int32  // 0 is the root and no node's sibling
	off, size                       int32  // text, in chars
	attr                            int32  // first of its attributes
	attrCount                       uint8
}

// place is where a node stands in the HTML, in octets.
type place struct{ start, end int32 }

// flag is what the outputs need to know of a node beside its tag.
type flag uint16

const (
	isOpen       flag = 1 << iota // on the stack of open elements
	continued                     // goes on in another node, since the formatting around it was closed
	continuation                  // the other node
	hasTable                      // a table with one inside
	asBlock                       // laid out as a block, whatever its tag
	asInline                      // laid out in the line, whatever its tag
	keepBlanks                    // white-space: pre
	tight                         // a paragraph without margins
	noMarks                       // a list without marks
	noQuote                       // a blockquote that only indents
	elsewhere                     // not shown here, but on a phone or in another light
	spacer                        // an image that shows nothing: a tracking pixel, a gap
)

// attr is one of the attributes that matter.
type attr struct {
	key       attrKey
	off, size int32
}

func (p *Page) text(n *node) []byte { return p.chars[n.off : n.off+n.size] }

// get returns an attribute's value, "" when there is none.
func (p *Page) get(n *node, key attrKey) []byte {
	v, _ := p.lookup(n, key)
	return v
}

func (p *Page) lookup(n *node, key attrKey) ([]byte, bool) {
	for _, a := range p.attrs[n.attr : n.attr+int32(n.attrCount)] {
		if a.key == key {
			return p.chars[a.off : a.off+a.size], true
		}
	}
	return nil, false
}

// children calls f for each child until f returns false.
func (p *Page) children(i int32) func(func(int32) bool) {
	return func(yield func(int32) bool) {
		for c := p.nodes[i].first; c != 0; c = p.nodes[c].next {
			if !yield(c) {
				return
			}
		}
	}
}
