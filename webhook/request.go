package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"postern/gateway/mail"
	"postern/webhook/payload"
)

// Request is a delivery rendered for its endpoint. It may be posted many times
// and says the same each time, but with OnSent only until it was sent.
type Request struct {
	ep   *Endpoint
	opts payload.Options

	mu   sync.Mutex
	d    payload.Delivery
	body payload.Body
	sent func() // nil: not of interest, and once it was called
	gone bool   // the message was let go of
}

// OnSent has f called, at most once, when the request was written to its end
// and the webhook is left to think: the request holds nothing of the message
// from then on.
func (r *Request) OnSent(f func()) { r.sent = f }

// letGo drops the message where somebody wants to know of it, and reports
// whether it is gone.
func (r *Request) letGo() bool {
	r.mu.Lock()
	f := r.sent
	if f != nil {
		r.sent, r.gone = nil, true
		r.d.Message, r.body.Bytes, r.body.Write = nil, nil, nil
	}
	gone := r.gone
	r.mu.Unlock()
	if f != nil {
		f()
	}
	return gone
}

// content is the body, false once the message was let go of.
func (r *Request) content() (payload.Body, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body, !r.gone
}

// Render makes the request of a delivery. Its error is about the message's
// octets, which can't be read; it never depends on how malformed the mail is.
func (s *Sender) Render(ep *Endpoint, d payload.Delivery) (*Request, error) {
	r := s.request(ep, d)
	return r, r.render()
}

// request is a delivery that isn't rendered yet.
func (s *Sender) request(ep *Endpoint, d payload.Delivery) *Request {
	d.Message = d.Message.WithMarker(ep.cfg.ReplyMarker)
	return &Request{ep: ep, d: d, opts: payload.Options{
		Attachments: ep.cfg.Attachments,
		Raw:         ep.cfg.Raw,
		InlineLimit: max(ep.cfg.InlineLimit, 0),
		Markdown:    ep.cfg.Markdown,
		Signals:     ep.cfg.Signals,
		URL:         ep.cfg.URL,
		Secret:      ep.cfg.Secret.now(),
		At:          s.deps.Now(),
		Hostname:    s.cfg.Hostname,
	}}
}

func (r *Request) render() (err error) {
	if r.body, err = r.ep.format.Render(r.d, r.opts); err != nil {
		return fmt.Errorf("render for %s: %w", r.ep.Name(), err)
	}
	return nil
}

// UsesLinks reports whether urls stand in the body: what they name must be
// durable before it is posted.
func (r *Request) UsesLinks() bool { return r.body.UsesLinks }

// Endpoint is where the request goes.
func (r *Request) Endpoint() *Endpoint { return r.ep }

// DeliveryID is the webhook-id.
func (r *Request) DeliveryID() string { return r.d.ID }

// Attempt counts the delivery's attempts, 1 for the first.
func (r *Request) Attempt() int { return r.d.Attempt }

// Size is the body's length in octets.
func (r *Request) Size() int64 { return r.body.Length }

// Shrinks reports whether Smaller is worth a try.
func (r *Request) Shrinks() bool { return r.d.Links != nil && !r.body.UsesLinks }

// Smaller renders the request of the message again with all content by url, for
// a receiver that finds it too large; nil where there is nothing to leave out.
func (r *Request) Smaller(m *mail.Message) (*Request, error) {
	if !r.Shrinks() {
		return nil, nil
	}
	s := &Request{ep: r.ep, d: r.d, opts: byURL(r.opts)}
	s.d.Message = m
	if err := s.render(); err != nil || !s.body.UsesLinks {
		return nil, err
	}
	return s, nil
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

// Post makes one attempt and says what came of it; timeout is for the answer's
// header, from the last octet of the request on. It never panics and never
// retries but for a case that is one attempt to the outside: a kept connection
// that the webhook had closed before it answered. Where the message was let go
// of by then, Outcome.Again asks for it.
func (s *Sender) Post(ctx context.Context, r *Request, timeout time.Duration) Outcome {
	start := s.deps.Now()
	o := s.post(ctx, r, timeout)
	o.Endpoint = r.ep.Name()
	o.Elapsed = s.deps.Now().Sub(start)
	return o
}

func (s *Sender) post(ctx context.Context, r *Request, timeout time.Duration) Outcome {
	c, err := s.client(r.ep)
	if err != nil {
		return NotPosted(ReasonConnect, err)
	}
	header, err := s.header(ctx, r)
	if err != nil {
		return NotPosted(headerReason(err), err)
	}
	if s.deps.Propagate != nil {
		s.deps.Propagate(ctx, header)
	}
	a, again := c.post(ctx, header, r, timeout)
	a.At = s.deps.Now()
	o := Classify(a, r.ep.rejects)
	o.Again = again
	return o
}

// headerReason tells a body that can't be read, or for which there was no place,
// from a secret that can't be used.
func headerReason(err error) Reason {
	switch {
	case errors.Is(err, errUnreadable):
		return ReasonRender
	case errors.Is(err, errNoPlace):
		return ReasonMemory
	}
	return ReasonMisconfigured
}

// header is the request's header. Ours come first, then the format's, then the
// operator's, which win.
func (s *Sender) header(ctx context.Context, r *Request) (http.Header, error) {
	h := make(http.Header, 12)
	values := make([]string, 0, 9) // of all fields, in one piece
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Content-Type", r.body.ContentType)
	set("Accept", "*/*")
	set("User-Agent", s.cfg.UserAgent)
	set("Webhook-Id", r.d.ID)
	set("Webhook-Timestamp", strconv.FormatInt(r.opts.At.Unix(), 10))
	set("Webhook-Attempt", strconv.Itoa(r.d.Attempt))
	set("Postern-Message-Id", r.d.Envelope.ID)
	if sig, err := s.signature(ctx, r); err != nil {
		return nil, err
	} else if sig != "" {
		set("Webhook-Signature", sig)
	}
	if auth := r.ep.authorization(); auth != "" {
		set("Authorization", auth)
	}
	for k, v := range r.body.Header {
		h[http.CanonicalHeaderKey(k)] = v
	}
	for k, v := range r.ep.cfg.Headers {
		h[http.CanonicalHeaderKey(k)] = v
	}
	return h, nil
}

// signature is the request's: to sign a large body renders it once more.
func (s *Sender) signature(ctx context.Context, r *Request) (sig string, err error) {
	if r.body.Bytes != nil || !r.signs() {
		return r.signature()
	}
	if short := s.deps.Processors.Whole(ctx, func() { sig, err = r.signature() }); short != nil {
		return "", fmt.Errorf("%w: %w", errNoPlace, short)
	}
	return sig, err
}

// signs reports whether there is a secret, and no format that signs in its service's
// way.
func (r *Request) signs() bool {
	_, keyed := r.ep.format.(payload.Keyed)
	return !keyed && r.opts.Secret != ""
}

// signature is the Standard Webhooks signature, "" of a request that has none.
func (r *Request) signature() (string, error) {
	if !r.signs() {
		return "", nil
	}
	keys, err := signingKeys(r.opts.Secret)
	if err != nil {
		return "", fmt.Errorf("sign for %s: %w", r.ep.Name(), err)
	}
	sig, err := sign(keys, r.d.ID, r.opts.At, r.body.Write)
	if err != nil {
		return "", fmt.Errorf("sign for %s: %w: %w", r.ep.Name(), errUnreadable, err)
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
