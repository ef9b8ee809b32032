package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// queueTimeout bounds a write to the store: the sender waits, and its own ten
// minutes are far away.
const queueTimeout = 30 * time.Second

// queue puts into the retry queue what a message leaves to be delivered later, and
// the content that urls name.
type queue struct {
	engine   Queue
	policy   retry.Policy
	observer Observer
	reporter Reporter
	log      *slog.Logger
	now      func() time.Time
	rand     func() float64
	fault    func(point string)
	quotas   *quotas
}

// enqueue stores a message and deliveries of it in one commit. A deferred delivery
// is due by the policy, a rejected one is a dead letter at once. reserved is room
// that was reserved before, nil for none.
func (q *queue) enqueue(ctx context.Context, m *message, ds []*dispatch.Delivery, reserved retry.Reservation) error {
	if len(ds) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	record, err := q.stage(ctx, m, reserved)
	if err != nil {
		return err
	}
	q.fault(FaultStaged)
	stored := q.newDeliveries(m, ds)
	result, err := q.engine.Enqueue(ctx, record, stored)
	if err != nil {
		// The commit's outcome may be unknown, so the body stays for the sweep.
		return q.failed(m.env, "enqueue", err)
	}
	q.fault(FaultEnqueued)
	if result.Duplicates > 0 {
		q.leaveOutDuplicates(ctx, m, ds, result.Duplicates)
	}
	q.report(ctx, record, ds, stored)
	q.reportLate(m, ds, stored)
	return nil
}

// leaveOutDuplicates corrects the count of what the message left in the queue: n
// of its deliveries waited there already, from an earlier try of the sender's, and
// belong to the message of that try. What becomes of them is told there.
func (q *queue) leaveOutDuplicates(ctx context.Context, m *message, ds []*dispatch.Delivery, n int) {
	for _, d := range ds {
		info, _, err := q.engine.Get(ctx, d.ID)
		if err == nil && info.MessageID != m.env.ID && n > 0 {
			n--
			m.enqueued.add(d, -1)
			m.enqueued.repeats = info.MessageID
		}
	}
}

// stage makes the message's octets durable and returns its record.
func (q *queue) stage(ctx context.Context, m *message, reserved retry.Reservation) (retry.Message, error) {
	record, err := archive.Record(m.env, m.mail.Head.Subject, q.policy.MaxAge)
	if err != nil {
		return record, q.failed(m.env, "envelope", err)
	}
	if reserved == nil {
		own, err := q.engine.Reserve(ctx, m.data.Size())
		if err != nil {
			return record, q.failed(m.env, "reserve", err)
		}
		defer own.Release()
		reserved = own
	}
	if record.Body, err = q.engine.Stage(ctx, reserved, m.data); err != nil {
		return record, q.failed(m.env, "stage", err)
	}
	return record, nil
}

// report counts the deliveries that were stored, and reports the dead letters among
// them.
func (q *queue) report(ctx context.Context, record retry.Message, ds []*dispatch.Delivery, stored []retry.NewDelivery) {
	for i, d := range ds {
		o := d.Outcome
		dead := o.Result == webhook.Rejected
		q.observer.Queued(d.Endpoint.Name(), dead)
		if !dead {
			continue
		}
		l := retry.Lease{Envelope: record.Envelope, Body: record.Body, Info: retry.Info{
			ID: d.ID, MessageID: record.ID, Key: record.Key, Endpoint: d.Endpoint.Name(), Recipients: dispatch.Addresses(d.To), From: record.From,
			Subject: record.Subject, Size: record.Body.Size, State: retry.Dead, Received: record.Received, Expires: record.Received.Add(record.Life), Attempts: 1,
		}}
		made := attempt(record.Received, o)
		if first := stored[i].First; first != nil {
			made = first
		}
		q.reporter.DeadLetter(ctx, l, string(o.Reason), *made)
	}
}

func (q *queue) failed(env *mail.Envelope, step string, err error) error {
	q.log.Error("the message can't be stored", "message", env.ID, "step", step, "err", err)
	return fmt.Errorf("gateway: %s: %w", step, err)
}

func (q *queue) newDeliveries(m *message, ds []*dispatch.Delivery) []retry.NewDelivery {
	out := make([]retry.NewDelivery, len(ds))
	for i, d := range ds {
		o := d.Outcome
		life := q.life(m, d)
		n := retry.NewDelivery{ID: d.ID, Endpoint: d.Endpoint.Name(), Recipients: dispatch.Addresses(d.To), Life: life}
		if o.Reason != "" && dispatch.Asked(o) {
			n.First = attempt(q.now().Add(-o.Elapsed), o) // it is over now, or was a moment ago
		}
		switch {
		case o.Result == webhook.Rejected:
			n.Dead = string(o.Reason)
		case n.First != nil:
			n.Wait, _ = q.policy.Next(1, life, o.After, q.rand())
		}
		out[i] = n
	}
	return out
}

// attempt is an outcome as the queue keeps it.
func attempt(at time.Time, o webhook.Outcome) *retry.Attempt {
	a := &retry.Attempt{At: at, Status: o.Status, Took: o.Elapsed, Reason: string(o.Reason)}
	if o.Err != nil {
		a.Error = o.Err.Error()
	}
	return a
}
