package smtp

// Memory is asked for the memory that sessions hold beyond the buffers that each
// connection has anyway. Without room an envelope grows no further (452 4.3.1),
// and data are read through a small buffer.
type Memory interface {
	// Hold books n octets and reports whether there was room. It never waits.
	Hold(n int64) bool
	// Free gives n octets back.
	Free(n int64)
	// Crowded reports whether mail that is here already waits for memory in
	// vain: new connections are answered 421.
	Crowded() bool
}

// WithMemory sets where memory is booked; the default has no bound.
func WithMemory(m Memory) Option { return func(s *Server) { s.memory = m } }

// boundless is the Memory of a server that was given none.
type boundless struct{}

func (boundless) Hold(int64) bool { return true }
func (boundless) Free(int64)      {}
func (boundless) Crowded() bool   { return false }

const (
	// freeRecipients of a transaction are booked nowhere: most mail has no more.
	freeRecipients = 8
	// recipientCost is what a recipient takes beside its address, which is kept
	// in up to three forms: as given, as parsed, as the handler sees it (measured).
	recipientCost = 384
)

// hold books a recipient for as long as the transaction lasts.
func (s *session) hold(r *Recipient) bool {
	if len(s.t.Recipients) < freeRecipients {
		return true
	}
	n := recipientCost + 3*int64(len(r.Address.Local)+len(r.Address.Domain)) + 2*int64(len(r.ORcpt))
	if !s.srv.memory.Hold(n) {
		return false
	}
	s.t.held += n
	return true
}

// letGo gives back what the transaction holds.
func (s *session) letGo() {
	if s.t != nil {
		s.srv.memory.Free(s.t.held)
		s.t.held = 0
	}
}

// widen moves to the large buffer where there is room for it, and returns how
// many octets of it to free.
func (s *session) widen() int64 {
	if !s.srv.memory.Hold(largeBuffer) {
		return 0
	}
	s.enlarge()
	return largeBuffer
}
