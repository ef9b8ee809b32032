package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"postern/gateway/mail"
	"postern/webhook"
	"postern/webhook/payload"
)

// FaultAnswered is the step at which a webhook has answered and nobody knows yet.
const FaultAnswered = "answered"

// DeliverAll makes all deliveries at once and returns when the last has ended.
func (x *Dispatcher) DeliverAll(ctx context.Context, ds []*Delivery) {
	for _, d := range ds {
		d.ref = d.Mail.addRefIfParsed()
	}
	for _, d := range ds {
		d.Mail.Release() // each delivery has a reference of its own now
	}
	var wg sync.WaitGroup
	for i, d := range ds {
		if i == len(ds)-1 {
			x.Deliver(ctx, d) // the last one needs no goroutine of its own
			break
		}
		wg.Go(func() { x.Deliver(ctx, d) })
	}
	wg.Wait()
}

// Deliver makes one delivery and sets its Outcome.
func (x *Dispatcher) Deliver(ctx context.Context, d *Delivery) {
	defer d.release()
	if d.AlreadyDelivered || d.Origin == Fresh && x.Refuses(d) {
		return
	}
	d.Outcome = x.deliver(ctx, d)
	d.Outcome.Endpoint = d.Endpoint.Name()
	if !answersEach(d) {
		d.Outcome.Recipients = nil
	}
	x.observe(d)
}

// answersEach reports whether the sender hears of each recipient; on SMTP there
// is one reply for all.
func answersEach(d *Delivery) bool { return strings.Contains(d.Mail.Envelope.Protocol, "LMTP") }

// deliver posts to the endpoint, unless it is paused, failing or busy.
func (x *Dispatcher) deliver(ctx context.Context, d *Delivery) webhook.Outcome {
	name := d.Endpoint.Name()
	switch {
	case insecure(d):
		return refusedInsecure
	case d.Origin == Fresh && x.paused(name):
		return webhook.NotPosted(webhook.ReasonPaused, nil)
	case !x.deps.Breakers.Allowed(name):
		return webhook.NotPosted(webhook.ReasonBreaker, nil)
	}
	s := x.slots[d.Endpoint] // who waits lets go of the parsed message: those who post may need the memory
	if err := s.acquire(ctx, d.Origin, d.release); err != nil {
		return webhook.NotPosted(webhook.ReasonNoSlot,
			fmt.Errorf("%d POSTs were under way for the whole time, CONCURRENCY allows no more: %w", s.most(), err))
	}
	defer s.release(d.Origin)
	done, allowed := x.deps.Breakers.Begin(name)
	if !allowed {
		return webhook.NotPosted(webhook.ReasonBreaker, nil)
	}
	began := x.deps.Now()
	o := x.attempt(ctx, d)
	s.learn(o)
	o.Elapsed = x.deps.Now().Sub(began)
	x.deps.Fault(FaultAnswered)
	done(health(ctx, d, o))
	return o
}

// attempt posts the message; once more where a kept connection broke before it
// answered, and where the receiver finds the body too large, with all content
// by url.
func (x *Dispatcher) attempt(ctx context.Context, d *Delivery) webhook.Outcome {
	p := x.payload(d)
	render := func(m *mail.Message, raw mail.Source) (*webhook.Request, error) {
		whole := p.Delivery
		whole.Message, whole.Raw = m, raw
		return x.deps.Sender.Render(d.Endpoint, whole)
	}
	o, r := x.once(ctx, d, render, p.until)
	if o.Again {
		o, r = x.once(ctx, d, render, p.until)
	}
	if o.Reason != webhook.ReasonTooLarge || !r.Shrinks() {
		return o
	}
	smaller, r := x.once(ctx, d, func(m *mail.Message, _ mail.Source) (*webhook.Request, error) { return r.Smaller(m) }, p.until)
	if r == nil && smaller.Err == nil { // there is nothing to leave out
		return o
	}
	return smaller
}

// once renders, stores the content that urls name, and posts. The message's memory
// is given up as soon as the webhook has the whole body. Without a request the
// webhook saw nothing.
func (x *Dispatcher) once(ctx context.Context, d *Delivery, render renderer, until time.Time) (webhook.Outcome, *webhook.Request) {
	own, r, err := x.render(ctx, d, render)
	defer own.release()
	switch {
	case errors.Is(err, ErrNoMemory):
		return webhook.NotPosted(webhook.ReasonMemory, err), nil
	case err != nil:
		return webhook.NotPosted(webhook.ReasonRender, err), nil
	case r == nil:
		return webhook.Outcome{}, nil
	}
	if r.UsesLinks() {
		if err := d.Mail.Keep(ctx, until); err != nil {
			return webhook.NotPosted(webhook.ReasonRender, fmt.Errorf("keep the content that urls name: %w", err)), nil
		}
	}
	r.OnSent(own.release)
	return x.deps.Sender.Post(ctx, r, timeout(d)), r
}

// render makes the request, waiting for memory if it must. The reference says how
// long the request needs the message.
func (x *Dispatcher) render(ctx context.Context, d *Delivery, render renderer) (*ref, *webhook.Request, error) {
	own, err := x.addRef(ctx, d.Mail, d.Origin)
	d.release()
	if err != nil {
		return nil, nil, err
	}
	var r *webhook.Request
	short := x.compute(ctx, d.Mail.src, func() { r, err = render(d.Mail.parsed, d.Mail.src) })
	return own, r, cmp.Or(short, err)
}

// renderer makes the request of a parsed message and its octets.
type renderer func(m *mail.Message, raw mail.Source) (*webhook.Request, error)

// release gives up the reference that the delivery began with.
func (d *Delivery) release() {
	d.ref.release()
	d.ref = nil
}

// memoryWait is how long a message waits for memory. After that a fresh one stays
// with its sender, or goes to the queue where it was parsed before; a queued one
// goes back to the queue.
func memoryWait(o Origin) time.Duration {
	if o == Queued {
		return 5 * time.Minute
	}
	return 15 * time.Second
}

// timeout is how long the answer may take: longer where nobody waits for it.
func timeout(d *Delivery) time.Duration {
	if d.Origin == Queued {
		return d.Endpoint.RetryTimeout()
	}
	return d.Endpoint.Timeout()
}

// linked is the payload's content, and until when the urls in it are good.
type linked struct {
	payload.Delivery
	until time.Time
}

func (x *Dispatcher) payload(d *Delivery) linked {
	m := d.Mail
	p := linked{Delivery: payload.Delivery{
		ID: d.ID, Attempt: d.Attempt, Endpoint: d.Endpoint.Name(), Envelope: m.Envelope, Recipients: d.To,
		RawSum: m.sum,
	}}
	if x.deps.URLs != nil && m.Keep != nil {
		p.Links, p.until = x.deps.URLs(x.deps.Now())
	}
	return p
}
