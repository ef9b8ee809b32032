package gateway

import (
	"context"
	"slices"

	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// take asks the webhooks and answers the sender for all recipients at once; a
// zero reply is acceptance.
func (g *Gateway) take(ctx context.Context, m *message, booked retry.Reservation) smtp.Reply {
	ds := g.ask(ctx, m)
	if m.env.Verb == mail.VerbSend {
		return g.settleSend(ctx, m, ds)
	}
	v := decide(fatesFor(ds, ""), g.Queue != nil)
	if v.store {
		if err := g.store(ctx, m, left(ds, func(string) bool { return true }), booked); err != nil {
			v.reply = storeFailure(err)
		}
	}
	g.note(ctx, m, ds, v.reply.Code >= 400)
	g.drop(ctx, m, ds)
	return v.reply
}

// takeEach is take for LMTP: a reply for each recipient's address.
func (g *Gateway) takeEach(ctx context.Context, m *message, booked retry.Reservation) map[string]smtp.Reply {
	ds := g.ask(ctx, m)
	if m.env.Verb == mail.VerbSend {
		return m.same(g.settleSend(ctx, m, ds))
	}
	replies := map[string]smtp.Reply{}
	stored := map[string]bool{}
	for _, to := range m.env.To {
		v := decide(fatesFor(ds, to.Address), g.Queue != nil)
		replies[to.Address], stored[to.Address] = v.reply, v.store
	}
	if err := g.store(ctx, m, left(ds, func(address string) bool { return stored[address] }), booked); err != nil {
		for address, waits := range stored {
			if waits {
				replies[address] = storeFailure(err)
			}
		}
	}
	failed := false
	for _, r := range replies {
		failed = failed || r.Code >= 400
	}
	g.note(ctx, m, ds, failed)
	g.drop(ctx, m, ds)
	return replies
}

// same is one reply for all recipients.
func (m *message) same(r smtp.Reply) map[string]smtp.Reply {
	all := map[string]smtp.Reply{}
	for _, to := range m.env.To {
		all[to.Address] = r
	}
	return all
}

// ask makes the deliveries that the verb wants now and returns those that
// count for the reply.
func (g *Gateway) ask(ctx context.Context, m *message) []*delivery {
	taken := g.taken(ctx, m)
	to := m.env.To
	switch m.env.Verb {
	case mail.VerbSend:
		return g.askTerminals(ctx, m, taken)
	case mail.VerbSoml:
		live := g.askTerminals(ctx, m, taken)
		mailbox := g.askMailboxes(ctx, m, without(to, func(r mail.Recipient) bool { return took(live, r.Address) }), taken)
		return append(slices.DeleteFunc(live, func(d *delivery) bool { return !d.delivered() }), mailbox...)
	case mail.VerbSaml:
		ended := make(chan struct{})
		go func() { defer close(ended); g.askTerminals(ctx, m, taken) }()
		defer func() { <-ended }()
	}
	return g.askMailboxes(ctx, m, to, taken)
}

func (g *Gateway) askTerminals(ctx context.Context, m *message, taken map[string]bool) []*delivery {
	ds := g.plan(m, m.env.To, true, taken)
	g.deliverAll(ctx, ds)
	m.live = ds
	return ds
}

// askMailboxes makes the deliveries to the endpoints that are no terminals; with
// ACCEPT=queue they are all due in the queue instead.
func (g *Gateway) askMailboxes(ctx context.Context, m *message, to []mail.Recipient, taken map[string]bool) []*delivery {
	ds := g.plan(m, to, false, taken)
	if !g.QueueFirst {
		g.deliverAll(ctx, ds)
		return ds
	}
	for _, d := range ds {
		d.fate.outcome = webhook.Outcome{Endpoint: d.ep.Name(), Result: webhook.Deferred}
	}
	return ds
}

// settleSend is the verdict on SEND: now or never, so every recipient must
// have a terminal that took it.
func (g *Gateway) settleSend(ctx context.Context, m *message, ds []*delivery) smtp.Reply {
	missed := slices.ContainsFunc(m.env.To, func(to mail.Recipient) bool { return !took(ds, to.Address) })
	g.note(ctx, m, ds, missed)
	g.drop(ctx, m, ds)
	if missed {
		return replyNotTaken
	}
	return smtp.Reply{}
}

func (d *delivery) delivered() bool { return d.fate.delivered() }

func (d *delivery) reaches(address string) bool {
	return slices.ContainsFunc(d.to, func(r mail.Recipient) bool { return r.Address == address })
}

// took reports whether one of the deliveries reached the address.
func took(ds []*delivery, address string) bool {
	return slices.ContainsFunc(ds, func(d *delivery) bool { return d.delivered() && d.reaches(address) })
}

// fatesFor lists the ends of the deliveries for one recipient, "" for all
// together. On LMTP a webhook may have answered for each recipient.
func fatesFor(ds []*delivery, address string) []fate {
	out := make([]fate, 0, len(ds))
	for _, d := range ds {
		if address == "" || d.reaches(address) {
			out = append(out, d.fate.of(address))
		}
	}
	return out
}

// left lists what nobody took, narrowed to the recipients that want it stored.
func left(ds []*delivery, wanted func(address string) bool) []*delivery {
	var out []*delivery
	for _, d := range ds {
		for _, result := range []webhook.Result{webhook.Deferred, webhook.Rejected} {
			n := d.part(func(r mail.Recipient) bool {
				f := d.fate.of(r.Address)
				return !f.delivered() && f.outcome.Result == result && wanted(r.Address)
			})
			if n != nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// part is the delivery for some of its recipients, who share an end; nil for none.
func (d *delivery) part(of func(mail.Recipient) bool) *delivery {
	n := *d
	n.to = without(d.to, func(r mail.Recipient) bool { return !of(r) })
	if len(n.to) == 0 {
		return nil
	}
	n.fate = d.fate.of(n.to[0].Address)
	if len(n.to) != len(d.to) {
		n.id = deliveryID(d.m, d.ep, n.to)
	}
	return &n
}
