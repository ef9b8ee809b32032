package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"postern/webhook/payload"
)

// SenderOptions are what a Sender works with; each has a default.
type SenderOptions struct {
	Logger    *slog.Logger                             // none
	Hostname  string                                   // our name in payloads (the host's)
	UserAgent string                                   // "Postern"
	Now       func() time.Time                         // time.Now
	Proxy     func(*http.Request) (*url.URL, error)    // http.ProxyFromEnvironment
	Inject    func(ctx context.Context, h http.Header) // adds traceparent; nothing
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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
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

// Close drops the idle connections. Calls of Send under way finish.
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

// Send makes one attempt at a delivery and says what came of it; it never
// panics and never retries but for two cases that are one attempt to the
// outside: a kept connection that the webhook had closed before it answered,
// and a 413 where content can go by url. Waiting for a free slot of the
// endpoint counts into ctx. queued takes the timeout for mail that nobody waits
// for.
func (s *Sender) Send(ctx context.Context, ep *Endpoint, d payload.Delivery, queued bool) Outcome {
	start := s.opts.Now()
	o := s.send(ctx, ep, &d, queued)
	o.Endpoint = ep.Name()
	o.Elapsed = s.opts.Now().Sub(start)
	return o
}

func (s *Sender) send(ctx context.Context, ep *Endpoint, d *payload.Delivery, queued bool) Outcome {
	if d.Envelope.RequireTLS && !ep.Secure() {
		return Outcome{Result: Rejected, Reason: ReasonInsecure, Err: errors.New("the sender requires TLS (RFC 8689) and the endpoint's URL is not https")}
	}
	c, err := s.client(ep)
	if err != nil {
		return Outcome{Result: Deferred, Reason: ReasonConnect, Err: err}
	}
	if err := c.acquire(ctx); err != nil {
		return Outcome{Result: Deferred, Reason: ReasonNoSlot, Err: fmt.Errorf("%d POSTs were under way for the whole time, CONCURRENCY allows no more: %w", ep.cfg.Concurrency, err)}
	}
	defer c.release()
	opts := s.renderOptions(ep)
	body, err := ep.format.Render(*d, opts)
	if err != nil {
		return renderFailed(ep, err)
	}
	o := s.attempt(ctx, c, d, &body, opts, queued)
	if o.Reason != ReasonTooLarge || d.Links == nil || body.UsesLinks {
		return o
	}
	if body, err = ep.format.Render(*d, byURL(opts)); err != nil {
		return renderFailed(ep, err)
	}
	if !body.UsesLinks { // nothing that could be left out
		return o
	}
	return s.attempt(ctx, c, d, &body, opts, queued)
}

// byURL asks for content by url in place of inline.
func byURL(o payload.Options) payload.Options {
	if o.Raw == payload.Inline {
		o.Raw = payload.URL
	}
	if o.Attachments == payload.Inline {
		o.Attachments = payload.URL
	}
	return o
}

func renderFailed(ep *Endpoint, err error) Outcome {
	return Outcome{Result: Deferred, Reason: ReasonRender, Err: fmt.Errorf("render for %s: %w", ep.Name(), err)}
}

func (s *Sender) renderOptions(ep *Endpoint) payload.Options {
	return payload.Options{
		Attachments: ep.cfg.Attachments,
		Raw:         ep.cfg.Raw,
		InlineLimit: max(ep.cfg.InlineLimit, 0),
		URL:         ep.cfg.URL,
		Secret:      ep.cfg.Secret.now(),
		At:          s.opts.Now(),
		Hostname:    s.opts.Hostname,
	}
}

// attempt posts a rendered body and classifies the answer. What its urls name
// is kept before.
func (s *Sender) attempt(ctx context.Context, c *client, d *payload.Delivery, body *payload.Body, o payload.Options, queued bool) Outcome {
	if body.UsesLinks {
		if err := d.Links.Keep(ctx, d.Envelope.ID); err != nil {
			return Outcome{Result: Deferred, Reason: ReasonRender, Err: fmt.Errorf("keep the content that urls name: %w", err)}
		}
	}
	header, err := s.header(ctx, c.ep, d, body, o)
	if err != nil {
		return Outcome{Result: Deferred, Reason: headerReason(err), Err: err}
	}
	a := c.post(ctx, header, body, c.ep.timeout(queued))
	a.At = s.opts.Now()
	return Classify(a, c.ep.rejects)
}

// headerReason tells a body that can't be read from a secret that can't be used.
func headerReason(err error) Reason {
	if errors.Is(err, errUnreadable) {
		return ReasonRender
	}
	return ReasonMisconfigured
}

// header is the request's header. Ours come first, then the format's, then the
// operator's, which win.
func (s *Sender) header(ctx context.Context, ep *Endpoint, d *payload.Delivery, b *payload.Body, o payload.Options) (http.Header, error) {
	h := make(http.Header, 12)
	values := make([]string, 0, 9) // of all fields, in one piece
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Content-Type", b.ContentType)
	set("Accept", "*/*")
	set("User-Agent", s.opts.UserAgent)
	set("Webhook-Id", d.ID)
	set("Webhook-Timestamp", strconv.FormatInt(o.At.Unix(), 10))
	set("Webhook-Attempt", strconv.Itoa(d.Attempt))
	set("Postern-Message-Id", d.Envelope.ID)
	if sig, err := ep.signature(d.ID, b, o); err != nil {
		return nil, err
	} else if sig != "" {
		set("Webhook-Signature", sig)
	}
	if auth := ep.authorization(); auth != "" {
		set("Authorization", auth)
	}
	if s.opts.Inject != nil {
		s.opts.Inject(ctx, h)
	}
	for k, v := range b.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	for k, v := range ep.cfg.Headers {
		h[http.CanonicalHeaderKey(k)] = v
	}
	return h, nil
}

// signature is the Standard Webhooks signature, "" without a secret and for a
// format that signs in its service's way.
func (e *Endpoint) signature(id string, b *payload.Body, o payload.Options) (string, error) {
	if _, keyed := e.format.(payload.Keyed); keyed || o.Secret == "" {
		return "", nil
	}
	keys, err := signingKeys(o.Secret)
	if err != nil {
		return "", fmt.Errorf("sign for %s: %w", e.Name(), err)
	}
	sig, err := sign(keys, id, o.At, b.Write)
	if err != nil {
		return "", fmt.Errorf("sign for %s: %w: %w", e.Name(), errUnreadable, err)
	}
	return sig, nil
}

// authorization is the Authorization header's value, "" without credentials.
func (e *Endpoint) authorization() string {
	if t := e.cfg.Token.now(); t != "" {
		return "Bearer " + t
	}
	if e.cfg.Username == "" && e.cfg.Password == nil {
		return ""
	}
	return basicAuth(e.cfg.Username, e.cfg.Password.now())
}
