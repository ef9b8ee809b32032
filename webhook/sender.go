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

// SenderOptions are what a Sender works with; each has a default.
type SenderOptions struct {
	Hostname  string                                // our name in payloads (the host's)
	UserAgent string                                // "Postern"
	Now       func() time.Time                      // time.Now
	Proxy     func(*http.Request) (*url.URL, error) // http.ProxyFromEnvironment
}

// Sender POSTs deliveries. It keeps the connections of each endpoint and is
// safe for concurrent use.
type Sender struct {
	opts SenderOptions

	mu      sync.Mutex
	clients map[*Endpoint]*client
	closed  bool
}

// ErrClosed is the cause of an outcome after Close.
var ErrClosed = errors.New("webhook: the sender is closed")

// NewSender makes a Sender.
func NewSender(o SenderOptions) (*Sender, error) {
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("webhook: a host name is needed: %w", err)
		}
		o.Hostname = name
	}
	if o.UserAgent == "" {
		o.UserAgent = "Postern"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	return &Sender{opts: o, clients: map[*Endpoint]*client{}}, nil
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
		c = newClient(ep, s.opts.Proxy)
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
