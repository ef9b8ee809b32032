package budget

// Grant is octets taken for one piece of work. One goroutine at a time uses
// it; Release may be called again.
type Grant struct {
	b      *Budget
	of     *work // nil once released
	octets int64
}

// Octets is what is booked.
func (g *Grant) Octets() int64 { return g.octets }

// Grow books n more and reports whether there was room: it never waits. Refused,
// the caller goes on within what it has, or releases all and takes the sum.
func (g *Grant) Grow(n int64) bool {
	if g.b == nil || n <= 0 {
		return true
	}
	if g.of == nil {
		return false
	}
	b := g.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.of == &b.express {
		return g.growSmall(n)
	}
	if b.bulk.grants > 1 && b.held+b.bulk.octets+n > b.common() {
		return false
	}
	g.book(n)
	return true
}

// Reach grows to n octets in all, as Grow does.
func (g *Grant) Reach(n int64) bool { return g.Grow(n - g.octets) }

// growSmall grows within the express share, or moves to the common one.
func (g *Grant) growSmall(n int64) bool {
	b, whole := g.b, g.octets+n
	if b.isSmall(whole) && b.express.octets+n <= b.total/expressShare {
		g.book(n)
		return true
	}
	if b.large.Len() > 0 || !b.fits(whole) {
		return false
	}
	g.unbook()
	*g = *b.grant(&b.bulk, whole)
	b.serve()
	return true
}

func (g *Grant) book(n int64) {
	g.of.octets += n
	g.octets += n
}

func (g *Grant) unbook() {
	g.of.octets -= g.octets
	g.of.grants--
}

// Shrink gives back all but n octets.
func (g *Grant) Shrink(n int64) {
	if g.b == nil || g.of == nil || n >= g.octets {
		return
	}
	g.b.mu.Lock()
	defer g.b.mu.Unlock()
	g.book(max(n, 0) - g.octets)
	g.b.serve()
}

// Release gives everything back.
func (g *Grant) Release() {
	if g.b == nil || g.of == nil {
		return
	}
	g.b.mu.Lock()
	defer g.b.mu.Unlock()
	g.unbook()
	g.of, g.octets = nil, 0
	g.b.serve()
}
