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

// unknownEndpointRest is how long mail rests whose endpoint isn't configured
// any more: the operator may bring it back, or replay the mail to another.
const unknownEndpointRest = time.Minute

// storeRest is how long an endpoint's mail rests that the store can't give now.
const storeRest = time.Second

// Deliver implements retry.Deliverer: the same message, rendered and posted in
// the same way as fresh mail.
func (g *Gateway) Deliver(ctx context.Context, l retry.Lease) retry.Outcome {
	at := g.deps.Now()
	m, err := g.load(ctx, l)
	if err != nil {
		g.log.Error("a stored message can't be read", "message", l.MessageID, "delivery", l.ID, "err", err)
		return unreadable(at, err)
	}
	defer m.close()
	ep := g.deps.Router.Endpoint(l.Endpoint)
	if ep == nil {
		return retry.Outcome{Kind: retry.Skip, After: unknownEndpointRest, Reason: "no_endpoint"}
	}
	d := &dispatch.Delivery{Mail: m.mail, Endpoint: ep, To: archive.Recipients(m.env, l.Recipients), ID: l.ID, Attempt: l.Attempts + 1, Origin: dispatch.Queued}
	g.deps.Dispatch.Deliver(ctx, d)
	g.tellQueued(m, d)
	o := settlement(d, at, ctx.Err() != nil)
	g.recordQueued(m, d, at, o)
	return o
}

// settlement is what becomes of a queued delivery after an attempt; cut says
// that we ended the attempt ourselves. Where its recipients ended differently,
// those whom nobody took become deliveries of their own.
func settlement(d *dispatch.Delivery, at time.Time, cut bool) retry.Outcome {
	if len(d.Outcome.Recipients) == 0 {
		return settled(d.Outcome, at, cut)
	}
	rest := left([]*dispatch.Delivery{d}, func(string) bool { return true })
	switch {
	case len(rest) == 0:
		return retry.Outcome{Kind: retry.Done, Reason: string(webhook.ReasonDelivered), Attempt: *attempt(at, d.Outcome)}
	case len(rest) == 1 && len(rest[0].To) == len(d.To):
		return settled(rest[0].Outcome, at, cut)
	}
	whole := retry.Outcome{Kind: retry.Divided, Reason: string(webhook.ReasonDelivered), Attempt: *attempt(at, d.Outcome)}
	for _, p := range rest {
		whole.Parts = append(whole.Parts, retry.Part{ID: p.ID, Recipients: dispatch.Addresses(p.To), Outcome: settled(p.Outcome, at, cut)})
	}
	return whole
}

// settled is what a webhook's outcome means for what is queued. Of an attempt
// that we cut short before an answer came nothing is known.
func settled(o webhook.Outcome, at time.Time, cut bool) retry.Outcome {
	s := retry.Outcome{After: o.After, Reason: string(o.Reason), Attempt: *attempt(at, o)}
	switch {
	case !dispatch.Asked(o), o.Result == webhook.Deferred && o.Status == 0 && cut:
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

// unreadable is the end of an attempt whose message can't be read: what is
// damaged is put aside, for what the store can't give now nothing was attempted.
func unreadable(at time.Time, err error) retry.Outcome {
	if errors.Is(err, retry.ErrCorrupt) || errors.Is(err, archive.ErrNotFound) || errors.Is(err, archive.ErrEnvelope) {
		return retry.Outcome{Kind: retry.GiveUp, Reason: retry.ReasonCorrupt, Attempt: retry.Attempt{At: at, Reason: retry.ReasonCorrupt, Error: err.Error()}}
	}
	return retry.Outcome{Kind: retry.Skip, After: storeRest, Reason: string(webhook.ReasonRender)}
}

// tellQueued reports the recipients whom a queued delivery reached.
func (g *Gateway) tellQueued(m *message, d *dispatch.Delivery) {
	var reached []mail.Recipient
	for _, r := range d.To {
		if endingOf(d, r.Address).delivered() && speaksFor(d.Endpoint, g.deps.Router.Route(r, m.env.Verb)) {
			reached = append(reached, r)
		}
	}
	if len(reached) > 0 {
		g.deps.Reporter.Delivered(m.env, reached, m.mail.Head, archive.Whole(m.env, m.data))
	}
}

// load makes a message of a lease: the frozen envelope and trace lines, and the
// stored octets. What they say is read when the webhook may have it.
func (g *Gateway) load(ctx context.Context, l retry.Lease) (*message, error) {
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
