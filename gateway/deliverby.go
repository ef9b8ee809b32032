package gateway

import (
	"context"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// leastLife is that of mail whose time is over when it is stored: it is tried once
// more.
const leastLife = time.Millisecond

// life is how long from now on a message may wait: as long as any, or until its
// sender wants it back (DELIVERBY in mode R).
func (q *queue) life(env *mail.Envelope) time.Duration {
	if by, ok := env.ReturnBy(); ok {
		return max(min(by.Sub(q.now()), q.policy.MaxAge), leastLife)
	}
	return q.policy.MaxAge
}

// reportLate tells the sender of recipients whom fresh mail that goes into the queue
// didn't reach by the time at which it wants to know (DELIVERBY in mode N).
func (q *queue) reportLate(m *message, ds []*dispatch.Delivery) {
	by, ok := m.env.TellBy()
	if !ok || by.After(q.now()) {
		return
	}
	for _, d := range ds {
		if d.Outcome.Result != webhook.Rejected && !d.Endpoint.Copy() {
			q.reporter.Delayed(m.env, d.To, m.mail.Head, archive.Whole(m.env, m.data))
		}
	}
}

// reportStillLate is reportLate for queued mail: of the first attempt behind that
// time, and no other.
func (g *Gateway) reportStillLate(ctx context.Context, l retry.Lease, m *message, d *dispatch.Delivery, o retry.Outcome) {
	by, ok := m.env.TellBy()
	if !ok || by.After(g.deps.Now()) || o.Kind != retry.Later || l.Left <= 0 || d.Endpoint.Copy() {
		return
	}
	if _, past, err := g.deps.Queue.Get(ctx, l.ID); err != nil || len(past) > 0 && !past[len(past)-1].At.Before(by) || !by.After(m.env.Received) {
		return
	}
	g.deps.Reporter.Delayed(m.env, d.To, m.mail.Head, archive.Whole(m.env, m.data))
}
