package htmltext

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// Span is a stretch of a text, in octets.
type Span struct{ Start, End int }

// Reply is the page as plain text, as Text has it, and which stretches of it the
// markup says to be quoted from the mail that is answered. To cut stretches out of the
// page afterwards it must be one of ReadReply.
func (p *Page) Reply() (*Replied, []Span) {
	q := &quotes{rest: -1}
	r := renderer{Page: p, quotes: q}
	text := r.run()
	if q.rest >= 0 {
		q.spans = append(q.spans, Span{q.rest, len(text)})
	}
	return &Replied{Text: text, page: p, at: q.at}, q.spans
}

// Replied is a page's text, and where in the page its words are from.
type Replied struct {
	Text string
	page *Page
	at   []written
}

// written is where a run of text stands in the output.
type written struct {
	node int32
	span Span
}

// quotes collects what is quoted, and where runs of text are written.
type quotes struct {
	spans []Span
	at    []written
	rest  int // from here on all is quoted; -1 for nowhere
}

func (q *quotes) wrote(c int32, from, to int) {
	if to > from {
		q.at = append(q.at, written{c, Span{from, to}})
	}
}

// shortened says that the last line was, to end at the given octet.
func (q *quotes) shortened(at int) {
	for i := len(q.at) - 1; i >= 0 && q.at[i].span.End > at; i-- {
		q.at[i].span.End = at
		q.at[i].span.Start = min(q.at[i].span.Start, at-1)
	}
	for i := range q.spans {
		q.spans[i].End = min(q.spans[i].End, at)
	}
}

// wroteAll notes all runs of text below a node at once.
func (r *renderer) wroteAll(i int32, from int) {
	if r.quotes == nil {
		return
	}
	for c := range r.children(i) {
		if r.nodes[c].tag == textTag {
			r.quotes.wrote(c, from, len(r.w.out))
		}
		r.wroteAll(c, from)
	}
}

// quoted writes an element and notes whether it is quoted. A division that holds
// blockquotes is no quote itself: answers may stand between them.
func (r *renderer) quoted(c int32, n *node) {
	from := len(r.w.out)
	switch q := r.quotingOf(n); {
	case q == quotesRest && r.quotes.rest < 0:
		r.quotes.rest = from
	case q == quotesMail && (n.tag == atom.Blockquote || !r.holdsQuote(c)):
		r.element(c, n)
		if len(r.w.out) > from {
			r.quotes.spans = append(r.quotes.spans, Span{from, len(r.w.out)})
		}
		return
	}
	r.element(c, n)
}

func (r *renderer) holdsQuote(i int32) bool {
	for c := range r.children(i) {
		if n := &r.nodes[c]; n.why == Shown && (n.tag == atom.Blockquote || n.tag != textTag && r.holdsQuote(c)) {
			return true
		}
	}
	return false
}

// Without is the HTML without the elements whose words all stand in the given
// stretches of the text; "" where nothing is left or nothing is taken out.
func (r *Replied) Without(spans []Span) string {
	w := without{Page: r.page, of: make([]part, len(r.page.nodes))}
	k := 0
	for _, a := range r.at {
		for k < len(spans) && spans[k].End <= a.span.Start {
			k++
		}
		w.of[a.node] = ownPart
		if k < len(spans) && spans[k].Start <= a.span.Start && spans[k].End >= a.span.End {
			w.of[a.node] = quotedPart
		}
	}
	if w.judge(0) != mixedPart {
		return ""
	}
	w.cutBelow(0)
	return w.join()
}

// part is what the words of a node are; the parts of its children add up.
type part uint8

const (
	noPart     part = 0
	ownPart    part = 1
	quotedPart part = 2
	mixedPart  part = ownPart | quotedPart
)

type without struct {
	*Page
	of   []part
	cuts []place
}

func (w *without) judge(i int32) part {
	for c := range w.children(i) {
		if w.nodes[c].tag != textTag {
			w.judge(c)
		}
		w.of[i] |= w.of[c]
	}
	return w.of[i]
}

// cutBelow cuts the children that are quoted, and what shows no words beside
// them: the rule above, what stands between, what follows to the end.
func (w *without) cutBelow(i int32) {
	var children []int32
	for c := range w.children(i) {
		children = append(children, c)
	}
	next := make([]part, len(children)) // of the next one with words
	for k := len(children) - 2; k >= 0; k-- {
		if next[k] = w.of[children[k+1]]; next[k] == noPart {
			next[k] = next[k+1]
		}
	}
	cutting := false
	for k, c := range children {
		switch w.of[c] {
		case quotedPart:
			w.cut(c)
			cutting = true
		case ownPart:
			cutting = false
		case mixedPart:
			w.cutBelow(c)
			cutting = false
		default:
			if n := &w.nodes[c]; cutting && n.why == Shown && next[k]&ownPart == 0 || n.tag == atom.Hr && next[k] == quotedPart {
				w.cut(c)
			}
		}
	}
}

func (w *without) cut(c int32) {
	if p := w.where[c]; p.end > p.start {
		w.cuts = append(w.cuts, p)
	}
}

// join is the HTML without the cuts.
func (w *without) join() string {
	slices.SortFunc(w.cuts, func(a, b place) int { return cmp.Compare(a.start, b.start) })
	var out strings.Builder
	at := int32(0)
	for _, c := range w.cuts {
		if c.start > at {
			out.WriteString(w.source[at:c.start])
		}
		at = max(at, c.end)
	}
	out.WriteString(w.source[at:])
	return strings.TrimSpace(out.String())
}
