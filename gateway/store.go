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

// storeTimeout bounds a write to the store: the sender waits, and its own ten
// minutes are far away.
const storeTimeout = 30 * time.Second

// store makes what is left of a message durable in one commit. A deferred
// delivery is due by the policy, a rejected one is a dead letter at once.
func (g *Gateway) store(ctx context.Context, m *message, ds []*delivery, booked retry.Reservation) error {
	if len(ds) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if booked == nil {
		own, err := g.Queue.Reserve(ctx, m.data.Size())
		if err != nil {
			return g.storeFailed(m, "reserve", err)
		}
		defer own.Release()
		booked = own
	}
	record, err := archive.Record(m.env, m.parsed.Subject, g.Policy.MaxAge)
	if err != nil {
		return g.storeFailed(m, "envelope", err)
	}
	if record.Body, err = g.Queue.Stage(ctx, booked, m.data); err != nil {
		return g.storeFailed(m, "stage", err)
	}
	g.fault(FaultStaged)
	if _, err = g.Queue.Enqueue(ctx, record, g.newDeliveries(m.env, ds)); err != nil {
		// The commit's outcome may be unknown, so the body stays for the sweep.
		return g.storeFailed(m, "enqueue", err)
	}
	g.fault(FaultEnqueued)
	g.tell(ctx, record, ds)
	return nil
}

// tell counts what was stored, and reports the dead letters among it.
func (g *Gateway) tell(ctx context.Context, record retry.Message, ds []*delivery) {
	for _, d := range ds {
		dead := d.fate.outcome.Result == webhook.Rejected
		g.Observer.Queued(d.ep.Name(), dead)
		if !dead || g.Reporter == nil {
			continue
		}
		l := retry.Lease{Envelope: record.Envelope, Body: record.Body, Info: retry.Info{
			ID: d.id, MessageID: record.ID, Key: record.Key, Endpoint: d.ep.Name(), Recipients: addresses(d.to), From: record.From,
			Subject: record.Subject, Size: record.Body.Size, State: retry.Dead, Received: record.Received, Expires: record.Received.Add(record.Life), Attempts: 1,
		}}
		g.Reporter.DeadLetter(ctx, l, string(d.fate.outcome.Reason), *attempt(record.Received, d.fate.outcome))
	}
}

func (g *Gateway) storeFailed(m *message, step string, err error) error {
	g.Logger.Error("the message can't be queued, the sender keeps it", "id", m.env.ID, "step", step, "error", err)
	return fmt.Errorf("gateway: %s: %w", step, err)
}

func (g *Gateway) newDeliveries(env *mail.Envelope, ds []*delivery) []retry.NewDelivery {
	out := make([]retry.NewDelivery, len(ds))
	for i, d := range ds {
		o := d.fate.outcome
		n := retry.NewDelivery{ID: d.id, Endpoint: d.ep.Name(), Recipients: addresses(d.to)}
		if o.Reason != "" {
			n.First = attempt(env.Received, o)
		}
		switch {
		case o.Result == webhook.Rejected:
			n.Dead = string(o.Reason)
		case n.First != nil && asked(o):
			n.Wait, _ = g.Policy.Next(1, g.Policy.MaxAge, o.After, g.Rand())
		case n.First != nil:
			n.First = nil // not attempted: the breaker was open or the endpoint paused
		}
		out[i] = n
	}
	return out
}

// asked reports whether the endpoint saw an attempt.
func asked(o webhook.Outcome) bool {
	switch o.Reason {
	case webhook.ReasonBreaker, webhook.ReasonPaused, webhook.ReasonNoSlot:
		return false
	}
	return true
}

// attempt is an outcome as the queue keeps it.
func attempt(at time.Time, o webhook.Outcome) *retry.Attempt {
	a := &retry.Attempt{At: at, Status: o.Status, Took: o.Elapsed, Reason: string(o.Reason)}
	if o.Err != nil {
		a.Error = o.Err.Error()
	}
	return a
}

// lookupTimeout bounds the look-up of earlier tries: a store that hangs must
// not hold up mail that a healthy webhook takes.
const lookupTimeout = 2 * time.Second

// taken looks up who took the message in an earlier try of the sender's. While
// the store can't say, all are asked again, with the same webhook-id.
func (g *Gateway) taken(ctx context.Context, m *message) map[string]bool {
	if !m.env.Keyed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ids, err := g.Ledger.Taken(ctx, m.env.Key)
	if err != nil {
		g.Logger.Warn("who took the message before can't be looked up, so all are asked", "id", m.env.ID, "error", err)
	}
	if len(ids) == 0 {
		return nil
	}
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// note keeps who has the message, in case the sender comes back with it: at
// once where it was refused, and after a 250 that nobody heard (Answered).
func (g *Gateway) note(ctx context.Context, m *message, ds []*delivery, refused bool) {
	if !m.env.Keyed {
		return
	}
	var ids []string
	for _, d := range ds {
		for _, to := range d.to {
			if !refused || d.fate.of(to.Address).delivered() {
				ids = append(ids, ledgerKey(d.ep, to))
			}
		}
	}
	if !refused {
		m.ids = ids
		return
	}
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTimeout)
	defer cancel()
	if err := g.Ledger.Remember(ctx, m.env.Key, ids, g.Policy.MaxAge); err != nil {
		g.Logger.Warn("who took a message could not be noted; a re-send may be delivered again, with the same webhook-id", "id", m.env.ID, "error", err)
	}
}
