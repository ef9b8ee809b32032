package htmltext

import (
	"strings"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// Bounds of a table that is told as one.
const (
	maxRow  = 4 << 10 // octets of cells that are put on one line
	maxCell = 200     // octets of a cell, where nothing but its shape speaks for a table
	maxCols = 64
)

// table writes a table of data a line a row. One that only lays out a page is
// written as what stands in it.
func (r *renderer) table(c int32, n *node) {
	grid := r.grid(c, n)
	if grid == nil {
		r.walk(c)
		return
	}
	r.w.breakLine(2)
	for c := range r.children(c) {
		if r.nodes[c].tag == atom.Caption && r.nodes[c].why == Shown {
			r.walk(c)
			r.w.breakLine(1)
		}
	}
	if r.markdown && !r.w.oneLine {
		r.w.breakLine(2)
		r.markdownTable(grid)
	} else {
		for _, row := range grid {
			r.w.breakLine(1)
			r.textRow(row)
		}
	}
	r.w.breakLine(2)
}

func (r *renderer) textRow(row []int32) {
	cells := make([]string, len(row))
	for i, c := range row {
		cells[i] = r.cell(c)
	}
	if line := strings.TrimRight(strings.Join(cells, "\t"), "\t"); line != "" {
		from := len(r.w.out)
		r.w.raw(line)
		for _, c := range row {
			r.wroteAll(c, from)
		}
	}
}

// cell renders what stands in a cell as one line.
func (r *renderer) cell(c int32) string {
	inner := renderer{Page: r.Page, markdown: r.markdown, bare: r.bare}
	inner.w = writer{start: -1, oneLine: true, escape: r.w.escape}
	inner.walk(c)
	inner.w.end()
	r.pictures += inner.pictures
	return string(inner.w.out)
}

// grid is the cells of a table of data, nil for a table that lays out a page:
// one with a table inside, one that says so by its role, or one whose cells
// don't look like data. A heading cell or a border speaks for data.
func (r *renderer) grid(c int32, n *node) [][]int32 {
	role := r.get(n, attrRole)
	if n.flags&hasTable != 0 || css.Is(role, "presentation") || css.Is(role, "none") {
		return nil
	}
	g := gridding{renderer: r, simple: true}
	g.rowsOf(c)
	even := len(g.rows) > 1
	for _, row := range g.rows {
		even = even && len(row) == len(g.rows[0])
		g.wide = max(g.wide, len(row))
	}
	border := css.Trim(r.get(n, attrBorder))
	bordered := len(border) > 0 && border[0] != '0'
	if g.wide < 2 || g.wide > maxCols || len(g.rows) < 2 && !g.headed || g.complex || !(g.headed || bordered && g.simple || even && g.simple) {
		return nil
	}
	return g.rows
}

// gridding collects the rows of a table and what its cells look like.
type gridding struct {
	*renderer
	rows    [][]int32
	wide    int
	headed  bool // there are heading cells
	simple  bool // cells are a few words
	complex bool // cells are more than a line's worth of text
}

func (g *gridding) rowsOf(i int32) {
	for c := range g.children(i) {
		n := &g.nodes[c]
		if n.why != Shown {
			continue
		}
		switch n.tag {
		case atom.Thead, atom.Tbody, atom.Tfoot:
			g.rowsOf(c)
		case atom.Tr:
			var row []int32
			for d := range g.children(c) {
				if t := g.nodes[d].tag; (t == atom.Td || t == atom.Th) && g.nodes[d].why == Shown {
					g.headed = g.headed || t == atom.Th
					g.look(d)
					row = append(row, d)
				}
			}
			if len(row) > 0 {
				g.rows = append(g.rows, row)
			}
		}
	}
}

// look judges a cell by what stands in it.
func (g *gridding) look(cell int32) {
	size, blocks := 0, 0
	var walk func(int32)
	walk = func(i int32) {
		for c := range g.children(i) {
			n := &g.nodes[c]
			switch {
			case n.why != Shown:
				continue
			case n.tag == textTag:
				size += int(n.size)
			case isHeading(n.tag) || isList(n.tag) || n.tag == atom.Blockquote || n.tag == atom.Hr || n.tag == atom.Pre:
				blocks += 2
			case n.tag == atom.Img:
				g.simple = g.simple && n.flags&spacer != 0
			case n.class&block != 0:
				blocks++
			}
			walk(c)
		}
	}
	walk(cell)
	g.simple = g.simple && size <= maxCell && blocks <= 1
	g.complex = g.complex || size > 8*maxCell
}
