package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// storeTimeout bounds a write to the store: the sender waits, and its own ten
// minutes are far away.
const storeTimeout = 30 * time.Second

// Store is what makes messages durable.
type Store interface {
	Reserve(ctx context.Context, n int64) (retry.Reservation, error)
	Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error)
	Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error)
	Keep(ctx context.Context, m retry.Message, d time.Duration) error
	Drop(ctx context.Context, messageID string) error
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
}

// store makes durable what is left of a message, and the content that urls name.
type store struct {
	queue    Store
	policy   retry.Policy
	observer Observer
	reporter Reporter
	log      *slog.Logger
	now      func() time.Time
	rand     func() float64
	fault    func(point string)
}

// enqueue stores what is left of a message in one commit. A deferred delivery
// is due by the policy, a rejected one is a dead letter at once. booked is room
// that was reserved before, nil for none.
func (s *store) enqueue(ctx context.Context, m *message, ds []*dispatch.Delivery, booked retry.Reservation) error {
	if len(ds) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	record, err := s.stage(ctx, m, booked)
	if err != nil {
		return err
	}
	s.fault(FaultStaged)
	stored, err := s.queue.Enqueue(ctx, record, s.newDeliveries(m.env, ds))
	if err != nil {
		// The commit's outcome may be unknown, so the body stays for the sweep.
		return s.failed(m.env, "enqueue", err)
	}
	s.fault(FaultEnqueued)
	if stored.Duplicates > 0 {
		s.repeated(ctx, m, ds, stored.Duplicates)
	}
	s.tell(ctx, record, ds)
	return nil
}

// repeated leaves out of the message's account what waits as another's: the
// sender came again with what the queue had. What becomes of that is told there.
func (s *store) repeated(ctx context.Context, m *message, ds []*dispatch.Delivery, n int) {
	for _, d := range ds {
		info, _, err := s.queue.Get(ctx, d.ID)
		if err == nil && info.MessageID != m.env.ID && n > 0 {
			n--
			m.ends.add(d, -1)
			m.ends.repeats = info.MessageID
		}
	}
}

// stage makes the message's octets durable and returns its record.
func (s *store) stage(ctx context.Context, m *message, booked retry.Reservation) (retry.Message, error) {
	record, err := archive.Record(m.env, m.mail.Head.Subject, s.policy.MaxAge)
	if err != nil {
		return record, s.failed(m.env, "envelope", err)
	}
	if booked == nil {
		own, err := s.queue.Reserve(ctx, m.data.Size())
		if err != nil {
			return record, s.failed(m.env, "reserve", err)
		}
		defer own.Release()
		booked = own
	}
	if record.Body, err = s.queue.Stage(ctx, booked, m.data); err != nil {
		return record, s.failed(m.env, "stage", err)
	}
	return record, nil
}

// tell counts what was stored, and reports the dead letters among it.
func (s *store) tell(ctx context.Context, record retry.Message, ds []*dispatch.Delivery) {
	for _, d := range ds {
		o := d.Outcome
		dead := o.Result == webhook.Rejected
		s.observer.Queued(d.Endpoint.Name(), dead)
		if !dead {
			continue
		}
		l := retry.Lease{Envelope: record.Envelope, Body: record.Body, Info: retry.Info{
			ID: d.ID, MessageID: record.ID, Key: record.Key, Endpoint: d.Endpoint.Name(), Recipients: dispatch.Addresses(d.To), From: record.From,
			Subject: record.Subject, Size: record.Body.Size, State: retry.Dead, Received: record.Received, Expires: record.Received.Add(record.Life), Attempts: 1,
		}}
		s.reporter.DeadLetter(ctx, l, string(o.Reason), *attempt(record.Received, o))
	}
}

func (s *store) failed(env *mail.Envelope, step string, err error) error {
	s.log.Error("the message can't be stored", "message", env.ID, "step", step, "err", err)
	return fmt.Errorf("gateway: %s: %w", step, err)
}

func (s *store) newDeliveries(env *mail.Envelope, ds []*dispatch.Delivery) []retry.NewDelivery {
	out := make([]retry.NewDelivery, len(ds))
	for i, d := range ds {
		o := d.Outcome
		n := retry.NewDelivery{ID: d.ID, Endpoint: d.Endpoint.Name(), Recipients: dispatch.Addresses(d.To)}
		if o.Reason != "" && dispatch.Asked(o) {
			n.First = attempt(env.Received, o)
		}
		switch {
		case o.Result == webhook.Rejected:
			n.Dead = string(o.Reason)
		case n.First != nil:
			n.Wait, _ = s.policy.Next(1, s.policy.MaxAge, o.After, s.rand())
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

// kept is until when a message is stored for its urls; the message's deliveries
// share it.
type kept struct {
	mu    sync.Mutex
	until time.Time
}

// keep stores the message until the time, once for all its deliveries.
func (s *store) keep(ctx context.Context, m *message, until time.Time) error {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if !m.kept.until.Before(until) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	var record retry.Message
	var err error
	if m.stored != nil || !m.kept.until.IsZero() {
		record, err = archive.Record(m.env, m.mail.Head.Subject, s.policy.MaxAge)
	} else {
		record, err = s.stage(ctx, m, nil)
	}
	if err != nil {
		return err
	}
	if err := s.queue.Keep(ctx, record, until.Sub(s.now())); err != nil {
		return s.failed(m.env, "keep", err)
	}
	m.kept.until = until
	return nil
}

// drop lets go of content that was kept for a POST that nobody took.
func (s *store) drop(ctx context.Context, m *message) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := s.queue.Drop(ctx, m.env.ID); err != nil {
		s.log.Warn("content of a refused message stays until its urls would have expired", "message", m.env.ID, "err", err)
	}
}
