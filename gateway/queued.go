package gateway

import (
	"context"
	"fmt"
	"time"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// Deliver implements retry.Deliverer: the same message, rendered and POSTed by
// the same deliver as fresh mail.
func (g *Gateway) Deliver(ctx context.Context, l retry.Lease) retry.Outcome {
	at := g.Now()
	m, err := g.load(ctx, l)
	if err != nil {
		return retry.Outcome{Kind: retry.Later, Reason: string(webhook.ReasonRender),
			Attempt: retry.Attempt{At: at, Reason: string(webhook.ReasonRender), Error: err.Error()}}
	}
	defer m.close()
	ep := g.Router.Endpoint(l.Endpoint)
	if ep == nil {
		return retry.Outcome{Kind: retry.Skip, After: time.Minute, Reason: "no_endpoint"}
	}
	d := &delivery{m: m, ep: ep, to: recipients(m.env, l.Recipients), id: l.ID, attempt: l.Attempts + 1, queued: true}
	o := g.deliver(ctx, d)
	if len(o.Recipients) > 0 {
		return g.divided(ctx, d, at, o)
	}
	return g.outcome(ctx, at, o)
}

// outcome is what a POST's outcome means for the queue.
func (g *Gateway) outcome(ctx context.Context, at time.Time, o webhook.Outcome) retry.Outcome {
	v := retry.Outcome{After: o.After, Reason: string(o.Reason), Attempt: *attempt(at, o)}
	switch {
	case !asked(o), o.Result == webhook.Deferred && ctx.Err() != nil: // cut short by us
		v.Kind = retry.Skip
	case o.Result == webhook.Delivered:
		v.Kind = retry.Done
	case o.Result == webhook.Rejected:
		v.Kind = retry.GiveUp
	default:
		v.Kind = retry.Later
	}
	return v
}

// divided is the outcome of a queued delivery whose webhook answered for each
// recipient: where they differ, those who are not delivered become deliveries
// of their own.
func (g *Gateway) divided(ctx context.Context, d *delivery, at time.Time, o webhook.Outcome) retry.Outcome {
	d.fate.outcome = o
	rest := left([]*delivery{d}, func(string) bool { return true })
	if len(rest) == 1 && len(rest[0].to) == len(d.to) {
		return g.outcome(ctx, at, rest[0].fate.outcome)
	}
	v := retry.Outcome{Kind: retry.Done, Reason: string(webhook.ReasonDelivered), Attempt: *attempt(at, o)}
	for _, part := range rest {
		v.Kind = retry.Divided
		v.Parts = append(v.Parts, retry.Part{ID: part.id, Recipients: addresses(part.to), Outcome: g.outcome(ctx, at, part.fate.outcome)})
	}
	return v
}

// load makes a message of a lease: the frozen envelope and trace lines, the
// stored octets, and what today's parser reads in them.
func (g *Gateway) load(ctx context.Context, l retry.Lease) (*message, error) {
	stored, err := archive.OpenLease(ctx, g.Queue, l)
	if err != nil {
		return nil, err
	}
	m := &message{env: stored.Envelope, data: stored.Data, raw: stored.Raw(), stored: stored}
	if m.parsed, err = mail.Parse(m.raw, g.ParseLimits); err != nil {
		m.close()
		return nil, fmt.Errorf("gateway: the stored message %s can't be read: %w", l.MessageID, err)
	}
	return m, nil
}

// close lets go of what the store lent.
func (m *message) close() {
	if m.stored != nil {
		m.stored.Close()
	}
}

// recipients finds the delivery's recipients in the envelope, in its order.
func recipients(e *mail.Envelope, of []string) []mail.Recipient {
	set := make(map[string]bool, len(of))
	for _, a := range of {
		set[a] = true
	}
	return without(e.To, func(to mail.Recipient) bool { return !set[to.Address] })
}
