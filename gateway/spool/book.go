package spool

// The bound on all spools is booked before it is needed, so that a sender
// learns early that there is no room: whole where the size was announced, else
// in steps that grow with the message.

const (
	minStep  = 64 << 10
	maxStep  = 8 << 20
	reserved = 16 // one part of so many is not for announcements, which cost nothing to make
)

// Used is the octets that are booked for all open spools.
func (s *Spooler) Used() int64 { return s.used.Load() }

// book takes n octets of the bound and leaves some of it free.
func (s *Spooler) book(n, free int64) bool {
	if used := s.used.Add(n); n > 0 && s.max > 0 && used > s.max-free {
		s.used.Add(-n)
		return false
	}
	return true
}

// grow books n octets more, and ahead where there is room.
func (p *Spool) grow(n int64) bool {
	step := max(n, min(max(p.booked, minStep), maxStep))
	if !p.owner.book(step, p.owner.max/reserved) {
		if step = n; !p.owner.book(step, 0) {
			return false
		}
	}
	p.booked += step
	return true
}

// Done says that no more octets come: what was booked for them is given back.
func (p *Spool) Done() {
	p.owner.used.Add(p.size - p.booked)
	p.booked = p.size
}
