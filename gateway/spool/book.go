package spool

// Octets are booked within the bound on all spools before they come, so that a
// sender learns early that there is no room: all of them where MAIL announced the
// SIZE, else in steps that grow with the message.

const (
	minStep = 64 << 10 // octets booked ahead at least …
	maxStep = 8 << 20  // … and at most
	// keptFree is the part of the bound that can't be booked ahead, one in so many:
	// it is for octets that have come. Announcing a large SIZE costs a client nothing.
	keptFree = 16
)

// Used is the octets that are booked for all open spools.
func (s *Spooler) Used() int64 { return s.used.Load() }

// book adds n octets (below zero: gives them back) where the bound holds them and
// free octets more.
func (s *Spooler) book(n, free int64) bool {
	if used := s.used.Add(n); n > 0 && s.max > 0 && used > s.max-free {
		s.used.Add(-n)
		return false
	}
	return true
}

// grow books n octets that are about to be written, and more ahead where there is
// room for it.
func (p *Spool) grow(n int64) bool {
	step := max(n, min(max(p.booked, minStep), maxStep))
	if !p.owner.book(step, p.owner.max/keptFree) {
		if step = n; !p.owner.book(step, 0) {
			return false
		}
	}
	p.booked += step
	return true
}

// Done says that the message is whole: what is booked beyond its size is given back.
func (p *Spool) Done() {
	p.owner.used.Add(p.size - p.booked)
	p.booked = p.size
}
