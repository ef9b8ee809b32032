package gateway

import (
	"context"
	"strings"
	"sync"

	"postern/gateway/mail"
	"postern/webhook"
	"postern/webhook/payload"
)

// delivery is one (message, endpoint, recipient group): one POST, one outcome.
type delivery struct {
	m       *message
	ep      *webhook.Endpoint
	to      []mail.Recipient
	id      string // webhook-id
	attempt int    // 1 for the first
	queued  bool   // came out of the queue: the sender waits no more
	fate    fate
}

// plan lists the deliveries of a message for some of its recipients, to
// terminals or to mailboxes. Who took the message in an earlier try of the
// sender's isn't asked again.
func (g *Gateway) plan(m *message, to []mail.Recipient, terminal bool, taken map[string]bool) []*delivery {
	routes, _ := g.Router.Route(to, m.env.Verb)
	ds := make([]*delivery, 0, len(routes))
	for _, r := range routes {
		if r.Terminal != terminal {
			continue
		}
		d := &delivery{m: m, ep: r.Endpoint, attempt: 1, to: r.Recipients}
		if len(taken) > 0 {
			d.to = without(r.Recipients, func(to mail.Recipient) bool { return taken[ledgerKey(r.Endpoint, to)] })
			if len(d.to) == 0 {
				d.to, d.fate.taken = r.Recipients, true
			}
		}
		d.id = deliveryID(m, d.ep, d.to)
		ds = append(ds, d)
	}
	return ds
}

func deliveryID(m *message, ep *webhook.Endpoint, to []mail.Recipient) string {
	return webhook.DeliveryID(m.env.Key, ep.Name(), addresses(to))
}

// deliverAll makes all deliveries at once and returns when the last has ended.
func (g *Gateway) deliverAll(ctx context.Context, ds []*delivery) {
	var wg sync.WaitGroup
	for i, d := range ds {
		if d.fate.taken {
			continue
		}
		d.fate.keep, d.fate.copy = !d.ep.Defers(), d.ep.Copy()
		if i == len(ds)-1 {
			d.fate.outcome = g.deliver(ctx, d) // the last one needs no goroutine of its own
			break
		}
		wg.Go(func() { d.fate.outcome = g.deliver(ctx, d) })
	}
	wg.Wait()
}

// deliver is the one way to a webhook, for fresh and for queued mail: the
// breaker's leave, the POST, and what it says about the endpoint.
func (g *Gateway) deliver(ctx context.Context, d *delivery) webhook.Outcome {
	if !d.queued && g.paused(d.ep.Name()) {
		return g.unasked(d, webhook.ReasonPaused)
	}
	done, allowed := g.Breakers.Begin(d.ep.Name())
	if !allowed {
		return g.unasked(d, webhook.ReasonBreaker)
	}
	o := g.Sender.Send(ctx, d.ep, g.payload(d), d.queued)
	g.fault(FaultAnswered)
	done(works(o) || d.queued && ctx.Err() != nil) // cut short by us: no word about the endpoint
	if !strings.Contains(d.m.env.Protocol, "LMTP") {
		o.Recipients = nil // an SMTP sender hears one reply
	}
	g.observe(d, o)
	mailbox := !d.ep.Terminal() || d.m.env.Verb == mail.VerbSend // of SAML's two only the mailbox counts
	if o.Result == webhook.Delivered && mailbox && g.Reporter != nil {
		g.Reporter.Delivered(d.m.env, d.to, d.m.parsed, d.m.raw)
	}
	return o
}

// unasked is the outcome of a delivery that was not attempted.
func (g *Gateway) unasked(d *delivery, why webhook.Reason) webhook.Outcome {
	o := webhook.Outcome{Endpoint: d.ep.Name(), Result: webhook.Deferred, Reason: why}
	g.observe(d, o)
	return o
}

// works says whether an outcome speaks for the endpoint's health. A rejection
// or a wish to defer is an answer of a healthy app.
func works(o webhook.Outcome) bool {
	switch o.Reason {
	case webhook.ReasonDelivered, webhook.ReasonRejected, webhook.ReasonTooLarge, webhook.ReasonAsked,
		webhook.ReasonNoSlot, webhook.ReasonRender, webhook.ReasonInsecure:
		return true
	}
	return false
}

func (g *Gateway) payload(d *delivery) payload.Delivery {
	return payload.Delivery{
		ID: d.id, Attempt: d.attempt, Endpoint: d.ep.Name(), Envelope: d.m.env, Recipients: d.to,
		Message: d.m.parsed, Raw: d.m.raw, Links: g.links(d.m),
	}
}

// ledgerKey names (endpoint, recipient) in the ledger.
func ledgerKey(ep *webhook.Endpoint, to mail.Recipient) string {
	return ep.Name() + "\x00" + to.Address
}

func addresses(to []mail.Recipient) []string {
	out := make([]string, len(to))
	for i := range to {
		out[i] = to[i].Address
	}
	return out
}

func without(to []mail.Recipient, drop func(mail.Recipient) bool) []mail.Recipient {
	var out []mail.Recipient
	for _, r := range to {
		if !drop(r) {
			out = append(out, r)
		}
	}
	return out
}
