package htmltext

// span is where a cell's words stand in what is written.
type span struct{ start, end int }

// row writes a row of a table that lays out a page. Cells of one line each
// stand side by side, as a reader sees them.
func (r *renderer) row(c int32) {
	outer, base := r.w.start, r.w.base
	first := -1
	var spans []span
	r.w.base = len(r.w.prefix)
	r.w.breakLine(1)
	for d := range r.children(c) {
		n := &r.nodes[d]
		if n.why != Shown {
			continue
		}
		r.w.start = -1
		r.around(n, func() { r.walk(d) })
		if r.w.start >= 0 {
			spans = append(spans, span{r.w.start, len(r.w.out)})
		}
	}
	r.w.breakLine(1)
	if len(spans) > 0 {
		first = spans[0].start
	}
	r.sideBySide(spans)
	r.w.start, r.w.base = outer, base
	if outer < 0 {
		r.w.start = first
	}
}

// sideBySide puts cells of one line each on one line.
func (r *renderer) sideBySide(spans []span) {
	if len(spans) < 2 || r.w.oneLine || spans[len(spans)-1].end-spans[0].start > maxRow {
		return
	}
	out := r.w.out
	for _, s := range spans {
		for _, c := range out[s.start:s.end] {
			if c == '\n' {
				return
			}
		}
	}
	at := spans[0].end
	for _, s := range spans[1:] {
		out[at] = '\t'
		at += 1 + copy(out[at+1:], out[s.start:s.end])
	}
	r.w.out = out[:at]
	if r.quotes != nil {
		r.quotes.shortened(at)
	}
}
