package gateway

import (
	"context"
	"slices"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// part is those recipients of a message who share an answer: all of them on
// SMTP, each by itself on LMTP.
type part struct {
	address string // "" is all
	decision
}

func (p part) has(address string) bool { return p.address == "" || p.address == address }

// endings lists how the deliveries of the part ended.
func (p part) endings(ds []*dispatch.Delivery) []ending {
	out := make([]ending, 0, len(ds))
	for _, d := range ds {
		if p.address == "" || d.Reaches(p.address) {
			out = append(out, endingOf(d, p.address))
		}
	}
	return out
}

// take delivers the message, decides, stores what must wait, and only then
// tells: a zero reply in a part is acceptance.
func (g *Gateway) take(ctx context.Context, m *message, booked retry.Reservation) []part {
	ds := g.ask(ctx, m)
	m.mail.Release() // whatever was asked: the store may take its time
	parts := m.parts()
	for i := range parts {
		parts[i].decision = g.decide(m, ds, parts[i])
	}
	if err := g.keepRest(ctx, m, ds, parts, booked); err != nil {
		m.ends.waiting, m.ends.dead = 0, 0
		for i := range parts {
			if parts[i].store {
				parts[i].reply = storeFailure(err)
			}
		}
	}
	m.ends.deliveries = ds
	g.note(ctx, m, ds, parts)
	g.dropContent(ctx, m, ds)
	g.tellSender(m, ds, parts)
	return parts
}

func (m *message) parts() []part {
	if !m.lmtp {
		return []part{{}}
	}
	parts := make([]part, len(m.env.To))
	for i, to := range m.env.To {
		parts[i].address = to.Address
	}
	return parts
}

func (g *Gateway) decide(m *message, ds []*dispatch.Delivery, p part) decision {
	if m.env.Verb != mail.VerbSend {
		return decide(p.endings(ds), g.store != nil)
	}
	return decideNow(!slices.ContainsFunc(m.env.To, func(r mail.Recipient) bool { return p.has(r.Address) && !took(ds, r.Address) }))
}

// keepRest stores what nobody took of the parts that want it stored.
func (g *Gateway) keepRest(ctx context.Context, m *message, ds []*dispatch.Delivery, parts []part, booked retry.Reservation) error {
	wanted := func(address string) bool {
		return slices.ContainsFunc(parts, func(p part) bool { return p.store && p.has(address) })
	}
	if g.store == nil {
		return nil
	}
	rest := left(ds, wanted)
	m.ends.count(rest)
	return g.store.enqueue(ctx, m, rest, booked)
}

// note keeps who has the message, in case the sender comes back with it: at
// once where it was refused, and after a 250 that nobody heard (Ended).
func (g *Gateway) note(ctx context.Context, m *message, ds []*dispatch.Delivery, parts []part) {
	if slices.ContainsFunc(parts, func(p part) bool { return p.reply.Code >= 400 }) {
		g.resends.remember(ctx, m.env, resendKeys(ds, func(d *dispatch.Delivery, r mail.Recipient) bool { return endingOf(d, r.Address).delivered() }))
		return
	}
	m.accepted = true
	m.keys = func() []string { return resendKeys(ds, func(*dispatch.Delivery, mail.Recipient) bool { return true }) }
}

// dropContent lets go of content that was kept for POSTs that nobody took.
func (g *Gateway) dropContent(ctx context.Context, m *message, ds []*dispatch.Delivery) {
	if g.store != nil && !slices.ContainsFunc(slices.Concat(ds, m.live), delivered) {
		g.store.drop(ctx, m)
	}
}

// tellSender reports the recipients whom the message reached, where its sender
// has been relieved of them.
func (g *Gateway) tellSender(m *message, ds []*dispatch.Delivery, parts []part) {
	var reached []mail.Recipient
	for _, r := range m.to {
		accepted := slices.ContainsFunc(parts, func(p part) bool { return p.has(r.Address) && p.reply.Code < 400 })
		if accepted && reaches(ds, r) {
			reached = append(reached, r.Recipient)
		}
	}
	if len(reached) > 0 {
		g.deps.Reporter.Delivered(m.env, reached, m.mail.Head, archive.Whole(m.env, m.data))
	}
}

// reaches reports whether the message has arrived at the recipient: all its own
// endpoints took it. Those that take copies count where there is no other.
func reaches(ds []*dispatch.Delivery, r dispatch.Recipient) bool {
	arrived := false
	for _, d := range ds {
		if !d.Reaches(r.Address) || !speaksFor(d.Endpoint, r.Endpoints) {
			continue
		}
		if !endingOf(d, r.Address).delivered() {
			return false
		}
		arrived = true
	}
	return arrived
}

// speaksFor reports whether a delivery to the endpoint is the recipient's own,
// one among the endpoints that its mail goes to.
func speaksFor(ep *webhook.Endpoint, all []*webhook.Endpoint) bool {
	return !ep.Copy() || !slices.ContainsFunc(all, func(e *webhook.Endpoint) bool { return !e.Copy() && e.Terminal() == ep.Terminal() })
}

// ask makes the deliveries that the verb wants now and returns those that
// count for the reply.
func (g *Gateway) ask(ctx context.Context, m *message) []*dispatch.Delivery {
	m.taken = g.resends.reached(ctx, m.env)
	switch m.env.Verb {
	case mail.VerbSend:
		return g.askTerminals(ctx, m)
	case mail.VerbSoml:
		live := g.askTerminals(ctx, m)
		rest := slices.DeleteFunc(slices.Clone(m.to), func(r dispatch.Recipient) bool { return took(live, r.Address) })
		mailbox := g.askMailboxes(ctx, m, rest)
		return append(slices.DeleteFunc(live, func(d *dispatch.Delivery) bool { return !delivered(d) }), mailbox...)
	case mail.VerbSaml:
		ended := make(chan struct{})
		go func() { defer close(ended); g.askTerminals(ctx, m) }()
		defer func() { <-ended }()
	}
	return g.askMailboxes(ctx, m, m.to)
}

func (g *Gateway) askTerminals(ctx context.Context, m *message) []*dispatch.Delivery {
	m.live = dispatch.Plan(m.mail, m.to, dispatch.Terminals, m.taken)
	g.deps.Dispatch.DeliverAll(ctx, m.live)
	return slices.Clone(m.live)
}

// askMailboxes makes the deliveries to the endpoints that are no terminals; with
// ACCEPT=queue they are all due in the queue instead, but for those that the
// endpoint would refuse.
func (g *Gateway) askMailboxes(ctx context.Context, m *message, to []dispatch.Recipient) []*dispatch.Delivery {
	ds := dispatch.Plan(m.mail, to, dispatch.Mailboxes, m.taken)
	if !g.cfg.QueueFirst {
		g.deps.Dispatch.DeliverAll(ctx, ds)
		return ds
	}
	for _, d := range ds {
		if !g.deps.Dispatch.Refuses(d) {
			d.Outcome = webhook.Outcome{Endpoint: d.Endpoint.Name(), Result: webhook.Deferred}
		}
	}
	return ds
}

// delivered reports whether an endpoint has the message.
func delivered(d *dispatch.Delivery) bool { return d.Taken || d.Outcome.Result == webhook.Delivered }

// took reports whether one of the deliveries reached the address.
func took(ds []*dispatch.Delivery, address string) bool {
	return slices.ContainsFunc(ds, func(d *dispatch.Delivery) bool { return d.Reaches(address) && endingOf(d, address).delivered() })
}

// left lists what nobody took, narrowed to the recipients that want it stored. A
// sender whom an endpoint refuses doesn't fill the store.
func left(ds []*dispatch.Delivery, wanted func(address string) bool) []*dispatch.Delivery {
	var out []*dispatch.Delivery
	for _, d := range ds {
		for _, result := range []webhook.Result{webhook.Deferred, webhook.Rejected} {
			n := d.Part(func(r mail.Recipient) bool {
				e := endingOf(d, r.Address)
				return !e.delivered() && e.Result == result && e.Reason != webhook.ReasonSender && wanted(r.Address)
			})
			if n != nil {
				n.Outcome = endingOf(d, n.To[0].Address).Outcome
				out = append(out, n)
			}
		}
	}
	return out
}
