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

// replyGroup is those recipients of a message who share a reply, and what was
// decided for them: all recipients on SMTP, each by itself on LMTP.
type replyGroup struct {
	address string // "" is all
	decision
}

func (p replyGroup) has(address string) bool { return p.address == "" || p.address == address }

// dispositions lists how the deliveries to the group's recipients ended.
func (p replyGroup) dispositions(ds []*dispatch.Delivery) []disposition {
	out := make([]disposition, 0, len(ds))
	for _, d := range ds {
		if p.address == "" || d.IsFor(p.address) {
			out = append(out, dispositionOf(d, p.address))
		}
	}
	return out
}

// deliverFresh posts the message to its webhooks, decides, puts what must wait
// into the queue, and only then reports. A group with a zero reply is accepted.
func (g *Gateway) deliverFresh(ctx context.Context, m *message, reserved retry.Reservation) []replyGroup {
	ds := g.post(ctx, m)
	m.mail.Release() // nobody renders it any more, and the store may need a while
	groups := m.replyGroups()
	for i := range groups {
		groups[i].decision = g.decide(m, ds, groups[i])
		if groups[i].enqueue && g.queue.overQuota(ctx, m, undelivered(ds, groups[i].has)) {
			groups[i].decision = decision{reply: replyEndpointFull}
		}
	}
	err := g.enqueueRest(ctx, m, ds, groups, reserved)
	endAll(m.bookings, err == nil)
	if err != nil {
		m.enqueued = enqueued{}
		for i := range groups {
			if groups[i].enqueue {
				groups[i].reply = storeFailure(err)
			}
		}
	}
	m.deliveries = ds
	g.rememberReached(ctx, m, ds, groups)
	g.dropContent(ctx, m, ds)
	if g.deps.Keeper != nil && m.accepted && slices.ContainsFunc(slices.Concat(ds, m.terminals), delivered) {
		g.deps.Keeper.Keep(m.env, m.mail.Head, m.data)
	}
	g.reportDelivered(m, ds, groups)
	return groups
}

func (m *message) replyGroups() []replyGroup {
	if !m.lmtp {
		return []replyGroup{{}}
	}
	groups := make([]replyGroup, len(m.env.To))
	for i, to := range m.env.To {
		groups[i].address = to.Address
	}
	return groups
}

func (g *Gateway) decide(m *message, ds []*dispatch.Delivery, p replyGroup) decision {
	if m.env.Verb != mail.VerbSend {
		return decide(p.dispositions(ds), g.queue != nil)
	}
	return decideNow(!slices.ContainsFunc(m.env.To, func(r mail.Recipient) bool { return p.has(r.Address) && !reached(ds, r.Address) }))
}

// enqueueRest stores what was not delivered to the groups that want it stored.
func (g *Gateway) enqueueRest(ctx context.Context, m *message, ds []*dispatch.Delivery, groups []replyGroup, reserved retry.Reservation) error {
	wanted := func(address string) bool {
		return slices.ContainsFunc(groups, func(p replyGroup) bool { return p.enqueue && p.has(address) })
	}
	if g.queue == nil {
		return nil
	}
	rest := undelivered(ds, wanted)
	m.enqueued.count(rest)
	if len(rest) == 0 {
		return nil
	}
	ctx, end := g.step(ctx, "enqueue")
	err := g.queue.enqueue(ctx, m, rest, reserved)
	end(err)
	return err
}

// rememberReached writes the dedup records of whom the message has reached, in
// case its sender comes back with it: at once where it was refused; after a 250
// only if the client didn't hear that (Ended).
func (g *Gateway) rememberReached(ctx context.Context, m *message, ds []*dispatch.Delivery, groups []replyGroup) {
	if slices.ContainsFunc(groups, func(p replyGroup) bool { return p.reply.Code >= 400 }) {
		g.resends.remember(ctx, m.env, resendKeys(ds, func(d *dispatch.Delivery, r mail.Recipient) bool { return dispositionOf(d, r.Address).delivered() }))
		return
	}
	m.accepted = true
	m.keys = func() []string { return resendKeys(ds, func(*dispatch.Delivery, mail.Recipient) bool { return true }) }
}

// dropContent removes content that was stored for urls where no webhook has them.
func (g *Gateway) dropContent(ctx context.Context, m *message, ds []*dispatch.Delivery) {
	if g.queue != nil && !slices.ContainsFunc(slices.Concat(ds, m.terminals), delivered) {
		g.queue.dropContent(ctx, m)
	}
}

// reportDelivered reports the recipients at whom the message has arrived, where
// the reply said that it was accepted for them.
func (g *Gateway) reportDelivered(m *message, ds []*dispatch.Delivery, groups []replyGroup) {
	var to []mail.Recipient
	for _, r := range m.to {
		accepted := slices.ContainsFunc(groups, func(p replyGroup) bool { return p.has(r.Address) && p.reply.Code < 400 })
		if accepted && arrived(ds, r, len(m.to)) {
			to = append(to, r.Recipient)
		}
	}
	if len(to) > 0 {
		g.deps.Reporter.Delivered(m.env, to, m.mail.Head, archive.Whole(m.env, m.data))
	}
}

// arrived reports whether the message has arrived at the recipient: all its own
// endpoints have it. Those that get copies count where there is no other. A
// delivery to all of so many recipients is one to each of them.
func arrived(ds []*dispatch.Delivery, r dispatch.Recipient, all int) bool {
	some := false
	for _, d := range ds {
		if len(d.To) < all && !d.IsFor(r.Address) || !speaksFor(d.Endpoint, r.Endpoints) {
			continue
		}
		if !dispositionOf(d, r.Address).delivered() {
			return false
		}
		some = true
	}
	return some
}

// SpeaksFor reports whether an endpoint's failure is the recipient's: mail that an
// endpoint with COPY=true didn't take has arrived all the same, or may yet. One that
// isn't configured any more may have been anybody's.
func SpeaksFor(router *webhook.Router, endpoint string, r mail.Recipient, verb mail.Verb) bool {
	ep := router.Endpoint(endpoint)
	return ep == nil || speaksFor(ep, router.Route(r, verb))
}

// speaksFor reports whether a recipient for whom mail goes to all these endpoints
// has it once this one does: copies don't count beside an endpoint of its own.
func speaksFor(ep *webhook.Endpoint, all []*webhook.Endpoint) bool {
	return !ep.Copy() || !slices.ContainsFunc(all, func(e *webhook.Endpoint) bool { return !e.Copy() && e.Terminal() == ep.Terminal() })
}

// post makes the deliveries that the verb wants now and returns those that count
// for the reply.
func (g *Gateway) post(ctx context.Context, m *message) []*dispatch.Delivery {
	m.reached, m.recorded = g.resends.reached(ctx, m.env)
	switch m.env.Verb {
	case mail.VerbSend:
		return g.postToTerminals(ctx, m)
	case mail.VerbSoml:
		live := g.postToTerminals(ctx, m)
		rest := slices.DeleteFunc(slices.Clone(m.to), func(r dispatch.Recipient) bool { return reached(live, r.Address) })
		mailbox := g.postToMailboxes(ctx, m, rest)
		return append(slices.DeleteFunc(live, func(d *dispatch.Delivery) bool { return !delivered(d) }), mailbox...)
	case mail.VerbSaml:
		ended := make(chan struct{})
		go func() { defer close(ended); g.postToTerminals(ctx, m) }()
		defer func() { <-ended }()
	}
	return g.postToMailboxes(ctx, m, m.to)
}

func (g *Gateway) postToTerminals(ctx context.Context, m *message) []*dispatch.Delivery {
	m.terminals = dispatch.Plan(m.mail, m.to, dispatch.Terminals, m.reached)
	g.deps.Dispatch.DeliverAll(ctx, m.terminals)
	return slices.Clone(m.terminals)
}

// postToMailboxes makes the deliveries to the endpoints that are no terminals.
// With ACCEPT=queue nothing is posted: all are deferred, which puts them into
// the queue, but for those whose endpoint refuses the mail.
func (g *Gateway) postToMailboxes(ctx context.Context, m *message, to []dispatch.Recipient) []*dispatch.Delivery {
	ds := dispatch.Plan(m.mail, to, dispatch.Mailboxes, m.reached)
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
func delivered(d *dispatch.Delivery) bool {
	return d.AlreadyDelivered || d.Outcome.Result == webhook.Delivered
}

// reached reports whether one of the deliveries reached the address.
func reached(ds []*dispatch.Delivery, address string) bool {
	return slices.ContainsFunc(ds, func(d *dispatch.Delivery) bool { return d.IsFor(address) && dispositionOf(d, address).delivered() })
}

// undelivered lists the deliveries to store, the deferred and the rejected apart,
// each narrowed to its recipients who are wanted. Mail that an endpoint refuses
// for its sender is not stored: strangers must not fill the queue.
func undelivered(ds []*dispatch.Delivery, wanted func(address string) bool) []*dispatch.Delivery {
	var out []*dispatch.Delivery
	for _, d := range ds {
		if delivered(d) && d.Outcome.Recipients == nil {
			continue
		}
		for _, result := range []webhook.Result{webhook.Deferred, webhook.Rejected} {
			n := d.Part(func(r mail.Recipient) bool {
				e := dispositionOf(d, r.Address)
				return !e.delivered() && e.Result == result && e.Reason != webhook.ReasonSender && wanted(r.Address)
			})
			if n != nil {
				n.Outcome = dispositionOf(d, n.To[0].Address).Outcome
				out = append(out, n)
			}
		}
	}
	return out
}
