package smtp

import "context"

// Processors is asked for a place before octets of a large message are worked on.
// Without that, so many clients could send so fast that goroutines always wait to
// run; nobody would look then whether another client has sent something, but for
// Go's monitor every 10 ms.
type Processors interface {
	// Enter waits for a place until ctx ends; others have one for a short time only.
	Enter(ctx context.Context) error
	// Leave gives it back.
	Leave()
}

// WithProcessors sets where places are taken; the default has no bound.
func WithProcessors(p Processors) Option { return func(s *Server) { s.processors = p } }

func (boundless) Enter(context.Context) error { return nil }
func (boundless) Leave()                      {}

// largeMessage is the octets of a message from which on they take places.
const largeMessage = largeBuffer

// enter waits for a place where the message is large, and says whether it took one:
// at the end of the server's grace nobody waits any more.
func (s *session) enter() (took bool) {
	if s.body == nil || s.body.size < largeMessage {
		return false
	}
	return s.srv.processors.Enter(s.ctx()) == nil
}

// settle lets the sink of a large message wait for its disk.
func (s *session) settle() {
	if sink, ok := s.body.sink.(Settler); ok && s.body.size >= largeMessage {
		sink.Settle()
	}
}

// leave gives back what enter took.
func (s *session) leave(took bool) {
	if took {
		s.srv.processors.Leave()
	}
}
