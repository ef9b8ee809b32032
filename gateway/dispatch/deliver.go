package dispatch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"postern/webhook"
	"postern/webhook/payload"
)

// FaultAnswered is the step at which a webhook has answered and nobody knows yet.
const FaultAnswered = "answered"

// DeliverAll makes all deliveries at once and returns when the last has ended.
func (x *Dispatcher) DeliverAll(ctx context.Context, ds []*Delivery) {
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

// Deliver makes one delivery and notes its outcome in it.
func (x *Dispatcher) Deliver(ctx context.Context, d *Delivery) {
	if d.Taken || d.Origin == Fresh && x.Refuses(d) {
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

// deliver asks the endpoint, if it may be asked now.
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
	release, err := x.acquire(ctx, d)
	if err != nil {
		return webhook.NotPosted(webhook.ReasonNoSlot,
			fmt.Errorf("%d POSTs were under way for the whole time, CONCURRENCY allows no more: %w", d.Endpoint.Concurrency(), err))
	}
	defer release()
	done, allowed := x.deps.Breakers.Begin(name)
	if !allowed {
		return webhook.NotPosted(webhook.ReasonBreaker, nil)
	}
	began := x.deps.Now()
	o := x.attempt(ctx, d)
	o.Elapsed = x.deps.Now().Sub(began)
	x.deps.Fault(FaultAnswered)
	done(works(o) || cut(ctx, d, o))
	return o
}

// attempt renders, keeps and posts; where the receiver finds the body too large
// once more, with all content by url.
func (x *Dispatcher) attempt(ctx context.Context, d *Delivery) webhook.Outcome {
	p := x.payload(d)
	r, err := x.deps.Sender.Render(d.Endpoint, p.Delivery)
	if err != nil {
		return webhook.NotPosted(webhook.ReasonRender, err)
	}
	o := x.post(ctx, d, r, p.until)
	if o.Reason != webhook.ReasonTooLarge {
		return o
	}
	smaller, err := r.Smaller()
	switch {
	case err != nil:
		return webhook.NotPosted(webhook.ReasonRender, err)
	case smaller == nil:
		return o
	}
	return x.post(ctx, d, smaller, p.until)
}

// post makes the POST; what its urls name is durable before.
func (x *Dispatcher) post(ctx context.Context, d *Delivery, r *webhook.Request, until time.Time) webhook.Outcome {
	if r.UsesLinks() {
		if err := d.Mail.Keep(ctx, until); err != nil {
			return webhook.NotPosted(webhook.ReasonRender, fmt.Errorf("keep the content that urls name: %w", err))
		}
	}
	return x.deps.Sender.Post(ctx, r, timeout(d))
}

// timeout is how long the answer may take: longer where nobody waits for it.
func timeout(d *Delivery) time.Duration {
	if d.Origin == Queued {
		return d.Endpoint.RetryTimeout()
	}
	return d.Endpoint.Timeout()
}

// linked is what is rendered, and how long the urls in it are good.
type linked struct {
	payload.Delivery
	until time.Time
}

func (x *Dispatcher) payload(d *Delivery) linked {
	m := d.Mail
	p := linked{Delivery: payload.Delivery{
		ID: d.ID, Attempt: d.Attempt, Endpoint: d.Endpoint.Name(), Envelope: m.Envelope, Recipients: d.To,
		Message: m.Message, Raw: m.Raw, RawSum: m.sum,
	}}
	if x.deps.URLs != nil && m.Keep != nil {
		p.Links, p.until = x.deps.URLs(x.deps.Now())
	}
	return p
}
