package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"postern/webhook/payload"
)

// SenderConfig is what the operator decides.
type SenderConfig struct {
	Hostname  string // our name in payloads; "": the host's
	UserAgent string // "": "Postern"
}

// SenderDeps are the parts that a Sender works with.
type SenderDeps struct {
	Now   func() time.Time                      // nil: time.Now
	Proxy func(*http.Request) (*url.URL, error) // nil: http.ProxyFromEnvironment
	// Propagate adds to the header what lets the webhook go on with ctx's trace; nil:
	// nothing.
	Propagate func(ctx context.Context, h http.Header)
	// Processors are where large bodies are rendered and signed; nil: no bound.
	Processors Processors
}

// Processors is asked for a place before a large mail is worked on.
type Processors interface {
	// Enter waits for the place of a piece of work that is soon done until ctx ends.
	Enter(ctx context.Context) error
	// Leave gives it back.
	Leave()
	// Whole does work on a whole large mail once there is a place; its error says that
	// there was none until ctx ended.
	Whole(ctx context.Context, work func()) error
}

// boundless are the Processors of a Sender that was given none.
type boundless struct{}

func (boundless) Enter(context.Context) error                { return nil }
func (boundless) Leave()                                     {}
func (boundless) Whole(_ context.Context, work func()) error { work(); return nil }

// Sender POSTs deliveries. It keeps the connections of each endpoint and is
// safe for concurrent use.
type Sender struct {
	cfg  SenderConfig
	deps SenderDeps

	mu      sync.Mutex
	clients map[*Endpoint]*client
	closed  bool
}

// ErrClosed is the cause of an outcome after Close.
var ErrClosed = errors.New("webhook: the sender is closed")

// NewSender makes a Sender.
func NewSender(cfg SenderConfig, deps SenderDeps) (*Sender, error) {
	if cfg.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("webhook: a host name is needed: %w", err)
		}
		cfg.Hostname = name
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Postern"
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Processors == nil {
		deps.Processors = boundless{}
	}
	if deps.Proxy == nil {
		deps.Proxy = http.ProxyFromEnvironment
	}
	return &Sender{cfg: cfg, deps: deps, clients: map[*Endpoint]*client{}}, nil
}

// Close drops the idle connections. POSTs under way finish.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.clients {
		c.transport.CloseIdleConnections()
	}
}

// client is the endpoint's own, made at its first use.
func (s *Sender) client(ep *Endpoint) (*client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	c := s.clients[ep]
	if c == nil {
		c = newClient(ep, s.deps)
		s.clients[ep] = c
	}
	return c, nil
}

// Send renders a delivery and posts it once, for a caller that needs no urls
// and waits for nobody's slot.
func (s *Sender) Send(ctx context.Context, ep *Endpoint, d payload.Delivery) Outcome {
	r, err := s.Render(ep, d)
	if err != nil {
		return NotPosted(ReasonRender, err)
	}
	return s.Post(ctx, r, ep.Timeout())
}
