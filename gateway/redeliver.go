package gateway

import (
	"context"
	"errors"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// unknownEndpointRest is how long an endpoint's mail rests that isn't configured
// any more: the operator may bring it back, or replay the mail to another.
const unknownEndpointRest = time.Minute

// storeRest is how long an endpoint's mail rests after the store couldn't give a
// message of it.
const storeRest = time.Second

// Deliver implements retry.Deliverer, the next attempt at a delivery that waited
// in the queue: the same octets, rendered and posted in the same way as fresh mail.
func (g *Gateway) Deliver(ctx context.Context, l retry.Lease) (o retry.Outcome) {
	at := g.deps.Now()
	m, err := g.open(ctx, l)
	if err != nil {
		g.log.Error("a stored message can't be read", "message", l.MessageID, "delivery", l.ID, "err", err)
		return unreadable(at, err)
	}
	defer m.close()
	if g.deps.Tracer != nil {
		span := g.deps.Tracer.Redelivery(ctx, l, m.env.Arrival)
		defer func() { g.deps.Tracer.Redelivered(span, o) }()
		ctx = span
	}
	ep := g.deps.Router.Endpoint(l.Endpoint)
	if ep == nil {
		return retry.Outcome{Kind: retry.Skip, After: unknownEndpointRest, Reason: "no_endpoint"}
	}
	d := &dispatch.Delivery{Mail: m.mail, Endpoint: ep, To: archive.Recipients(m.env, l.Recipients), ID: l.ID, Attempt: l.Attempts + 1, Origin: dispatch.Queued}
	g.deps.Dispatch.Deliver(ctx, d)
	g.reportRedelivered(m, d)
	o = outcomeOf(d, at, ctx.Err() != nil)
	if o.Attempt.Took == 0 { // nothing was posted
		o.Attempt.Took = g.deps.Now().Sub(at)
	}
	g.recordQueued(m, d, at, o)
	g.reportStillLate(ctx, l, m, d, o)
	if g.deps.Keeper != nil && (o.Kind == retry.Done || o.Kind == retry.Divided) {
		g.deps.Keeper.Keep(m.env, m.mail.Head, m.stored.Held()) // the queue lets go of it next
	}
	return o
}

// outcomeOf is what becomes of a queued delivery after an attempt; cutShort says
// that we ended the attempt ourselves. Where its webhook answered differently for
// its recipients, those whom it did not reach become deliveries of their own.
func outcomeOf(d *dispatch.Delivery, at time.Time, cutShort bool) retry.Outcome {
	if len(d.Outcome.Recipients) == 0 {
		return retryOutcome(d.Outcome, at, cutShort)
	}
	rest := undelivered([]*dispatch.Delivery{d}, func(string) bool { return true })
	switch {
	case len(rest) == 0:
		return retry.Outcome{Kind: retry.Done, Reason: string(webhook.ReasonDelivered), Attempt: *attempt(at, d.Outcome)}
	case len(rest) == 1 && len(rest[0].To) == len(d.To):
		return retryOutcome(rest[0].Outcome, at, cutShort)
	}
	whole := retry.Outcome{Kind: retry.Divided, Reason: string(webhook.ReasonDelivered), Attempt: *attempt(at, d.Outcome)}
	for _, p := range rest {
		whole.Parts = append(whole.Parts, retry.Part{ID: p.ID, Recipients: dispatch.Addresses(p.To), Outcome: retryOutcome(p.Outcome, at, cutShort)})
	}
	return whole
}

// retryOutcome is what a webhook's outcome means for a queued delivery. An attempt
// that we cut short before an answer came counts as none.
func retryOutcome(o webhook.Outcome, at time.Time, cutShort bool) retry.Outcome {
	s := retry.Outcome{After: o.After, Reason: string(o.Reason), Attempt: *attempt(at, o)}
	switch {
	case !dispatch.Asked(o), o.Result == webhook.Deferred && o.Status == 0 && cutShort:
		s.Kind = retry.Skip
	case o.Result == webhook.Delivered:
		s.Kind = retry.Done
	case o.Result == webhook.Rejected:
		s.Kind = retry.GiveUp
	default:
		s.Kind = retry.Later
	}
	return s
}

// unreadable is the outcome where the message can't be read: a damaged one becomes
// a dead letter; what the store can't give now waits, and no attempt is counted.
func unreadable(at time.Time, err error) retry.Outcome {
	if errors.Is(err, retry.ErrCorrupt) || errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrEnvelope) {
		return retry.Outcome{Kind: retry.GiveUp, Reason: retry.ReasonCorrupt, Attempt: retry.Attempt{At: at, Reason: retry.ReasonCorrupt, Error: err.Error()}}
	}
	return retry.Outcome{Kind: retry.Skip, After: storeRest, Reason: string(webhook.ReasonRender)}
}

// reportRedelivered reports the recipients at whom a queued delivery has arrived.
func (g *Gateway) reportRedelivered(m *message, d *dispatch.Delivery) {
	var reached []mail.Recipient
	for _, r := range d.To {
		if dispositionOf(d, r.Address).delivered() && speaksFor(d.Endpoint, g.deps.Router.Route(r, m.env.Verb)) {
			reached = append(reached, r)
		}
	}
	if len(reached) > 0 {
		g.deps.Reporter.Delivered(m.env, reached, m.mail.Head, archive.Whole(m.env, m.data))
	}
}

// open makes a message of a lease: the frozen envelope and trace header, and the
// stored octets. It is parsed when its endpoint may be asked.
func (g *Gateway) open(ctx context.Context, l retry.Lease) (*message, error) {
	stored, err := archive.OpenVerified(ctx, g.deps.Queue, l)
	if err != nil {
		return nil, err
	}
	m := &message{env: stored.Envelope, data: stored.Data, seen: stored.Raw(), stored: stored}
	g.prepare(m)
	return m, nil
}

// close lets go of what the store lent.
func (m *message) close() { m.stored.Close() }
