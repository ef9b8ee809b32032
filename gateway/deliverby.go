package gateway

import (
	"context"
	"slices"
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

// life is how long from now on a delivery may wait: as long as any, or until the
// sender wants the mail back (DELIVERBY in mode R). That is only where the sender
// would get it back: else it would be neither kept nor returned.
func (q *queue) life(m *message, d *dispatch.Delivery) time.Duration {
	by, ok := m.env.ReturnBy()
	if !ok || d.Endpoint.Copy() || !q.reporter.Returns(m.env, d.To, m.mail.Head) {
		return q.policy.MaxAge
	}
	return max(min(by.Sub(q.now()), q.policy.MaxAge), leastLife)
}

// reportLate tells the sender of recipients whom fresh mail that goes into the queue
// didn't reach by the time at which it wants to know (DELIVERBY in mode N).
func (q *queue) reportLate(m *message, ds []*dispatch.Delivery, stored []retry.NewDelivery) {
	by, ok := m.env.TellBy()
	if !ok {
		return
	}
	for i, d := range ds {
		first := stored[i].First
		late := !by.After(m.env.Received) || first != nil && endedBehind(*first, by)
		if late && d.Outcome.Result != webhook.Rejected && !d.Endpoint.Copy() {
			q.reporter.Delayed(m.env, d.To, m.mail.Head, archive.Whole(m.env, m.data))
		}
	}
}

// reportStillLate is reportLate for queued mail: of the first attempt that ends
// behind that time, and no other.
func (g *Gateway) reportStillLate(ctx context.Context, l retry.Lease, m *message, d *dispatch.Delivery, o retry.Outcome) {
	by, ok := m.env.TellBy()
	late := stillTried(m.env, d, o)
	if !ok || !by.After(m.env.Received) || !endedBehind(o.Attempt, by) || len(late) == 0 || l.Left <= 0 || d.Endpoint.Copy() {
		return
	}
	_, past, err := g.deps.Queue.Get(ctx, l.ID)
	told := func(a retry.PastAttempt) bool { return a.Reason != retry.ReasonLost && endedBehind(a.Attempt, by) }
	if err != nil || slices.ContainsFunc(past, told) {
		return
	}
	g.deps.Reporter.Delayed(m.env, late, m.mail.Head, archive.Whole(m.env, m.data))
}

// stillTried lists a queued delivery's recipients for whom it is tried again.
func stillTried(env *mail.Envelope, d *dispatch.Delivery, o retry.Outcome) []mail.Recipient {
	switch o.Kind {
	case retry.Later:
		return d.To
	case retry.Divided:
		var to []mail.Recipient
		for _, p := range o.Parts {
			if p.Outcome.Kind == retry.Later {
				to = append(to, archive.Recipients(env, p.Recipients)...)
			}
		}
		return to
	}
	return nil
}

// endedBehind reports whether an attempt ended at the time or behind it, as the
// queue keeps it: what it says of an attempt now it says later.
func endedBehind(a retry.Attempt, by time.Time) bool {
	return !a.At.Truncate(time.Millisecond).Add(a.Took).Before(by)
}
