package retry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// start runs do (attempt or expire) for a leased delivery, on a goroutine of its own.
func (w *Worker) start(attempts context.Context, l Lease, do func(context.Context, Lease)) {
	ctx, cancel := context.WithCancelCause(attempts)
	w.mu.Lock()
	w.inFlight[l.ID] = &flight{lease: l, until: w.deps.Now().Add(leaseTTL), cancel: cancel}
	w.perEndpoint[l.Endpoint]++
	w.octets += l.Size
	w.mu.Unlock()
	w.wg.Add(1)
	go func() {
		defer w.wg.Done()
		defer cancel(nil)
		do(ctx, l)
		w.finish(l)
	}()
}

func (w *Worker) finish(l Lease) {
	w.mu.Lock()
	delete(w.inFlight, l.ID)
	w.octets -= l.Size
	if w.limit > 0 {
		if w.limit++; w.limit > leaseBatch {
			w.limit = 0
		}
	}
	if w.perEndpoint[l.Endpoint]--; w.perEndpoint[l.Endpoint] <= 0 {
		delete(w.perEndpoint, l.Endpoint)
	}
	w.mu.Unlock()
	select {
	case w.ended <- struct{}{}:
	default:
	}
}

func (w *Worker) expire(ctx context.Context, l Lease) { w.die(ctx, l, ReasonExpired, Attempt{}) }

func (w *Worker) attempt(ctx context.Context, l Lease) {
	if l.Lapsed {
		w.lapsed(ctx, l)
		return
	}
	if err := w.verify(ctx, &l); err != nil {
		w.unreadable(ctx, l, err)
		return
	}
	began := w.deps.Now()
	o := w.deliver(ctx, l)
	took := w.deps.Now().Sub(began)
	if o.Attempt.At.IsZero() {
		o.Attempt.At = began
	}
	if o.Attempt.Took == 0 {
		o.Attempt.Took = took
	}
	if o.Attempt.Reason == "" {
		o.Attempt.Reason = o.Reason
	}
	if w.deps.Observer != nil && o.Kind != Skip {
		w.deps.Observer.Attempted(l, o, took)
	}
	l.Left -= w.deps.Now().Sub(began)
	w.settle(ctx, l, o)
}

// deliver has the attempt made. A panic over one mail must not take the process
// down with it, at every start again.
func (w *Worker) deliver(ctx context.Context, l Lease) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			w.deps.Logger.Error("an attempt panicked; the delivery is tried again later", "delivery", l.ID, "message", l.MessageID, "panic", p, "stack", string(debug.Stack()))
			o = Outcome{Kind: Later, Reason: reasonPanic, Attempt: Attempt{Error: fmt.Sprint("panic: ", p)}}
		}
	}()
	return w.d.Deliver(ctx, l)
}

// reasonPanic is the reason of an attempt that panicked.
const reasonPanic = "panic"

// What the worker itself holds of bodies under way, in octets: of one at most, and
// only while there are fewer in all.
const (
	holdBody = 64 << 10
	holdAll  = 8 << 20
)

// verify reads the stored body once, so that damaged mail is never sent. A small
// one stays with the lease: the attempt needn't read it again.
func (w *Worker) verify(ctx context.Context, l *Lease) error {
	if l.Damaged {
		return ErrCorrupt
	}
	body, err := w.q.Open(ctx, l.Body)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := body.Verify(); err != nil || l.Body.Inline != nil || l.Size > holdBody || w.underWay() > holdAll {
		return err
	}
	octets := make([]byte, body.Size())
	if _, err := io.ReadFull(body, octets); err == nil {
		l.Body.Inline = octets
	}
	return nil
}

// underWay is how many octets the bodies under way have.
func (w *Worker) underWay() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.octets
}

// unreadable makes a dead letter of a damaged message and gives the lease of one
// back that can't be read now.
func (w *Worker) unreadable(ctx context.Context, l Lease, err error) {
	at := Attempt{At: w.deps.Now(), Reason: ReasonCorrupt, Error: err.Error()}
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound) {
		w.deps.Logger.Error("a stored message is damaged and was put aside as a dead letter", "delivery", l.ID, "message", l.MessageID, "err", err)
		w.die(ctx, l, ReasonCorrupt, at)
		return
	}
	w.tellUnread(l, err)
	wait := unreadWait(w.deps.Now().Sub(l.Received), w.deps.Rand())
	w.write(ctx, l, "postponed", func(ctx context.Context) error { return w.q.Retry(ctx, l, wait, Attempt{}) })
}

// How long a message waits that can't be read now: a part of the time that it
// has waited already, so that many of them keep nobody busy.
const (
	unreadFirst = 5 * time.Second
	unreadMost  = 5 * time.Minute
	unreadPart  = 8
)

func unreadWait(age time.Duration, random float64) time.Duration {
	wait := min(max(age/unreadPart, unreadFirst), unreadMost)
	return time.Duration(float64(wait) * (0.8 + 0.4*random))
}

// tellEvery is how often it is told that messages can't be read now.
const tellEvery = 10 * time.Second

// tellUnread logs one message of many that can't be read now; the next line counts
// the others.
func (w *Worker) tellUnread(l Lease, err error) {
	w.mu.Lock()
	w.unread++
	now, count := w.deps.Now(), w.unread
	told := now.Sub(w.toldUnread) < tellEvery
	if !told {
		w.toldUnread, w.unread = now, 0
	}
	w.mu.Unlock()
	if !told {
		w.deps.Logger.Error("stored messages can't be read now; they wait", "count", count, "delivery", l.ID, "message", l.MessageID, "err", err)
	}
}

// settle writes the outcome down. Of an attempt that our shutdown cut short the
// outcome is unknown: its lease is given back, and it is made again.
func (w *Worker) settle(ctx context.Context, l Lease, o Outcome) {
	if errors.Is(context.Cause(ctx), ErrLeaseLost) {
		w.deps.Logger.Warn("an attempt outlasted its lease; another worker has the delivery", "delivery", l.ID)
		return
	}
	if o.Kind == Later && errors.Is(context.Cause(ctx), errShutdown) {
		w.write(ctx, l, "released", func(ctx context.Context) error { return w.q.Release(ctx, l, o.Attempt) })
		return
	}
	switch o.Kind {
	case Done:
		w.write(ctx, l, "acknowledged", func(ctx context.Context) error { return w.q.Ack(ctx, l, o.Attempt) })
	case GiveUp:
		w.die(ctx, l, o.Reason, o.Attempt)
	case Skip:
		w.restEndpoint(l.Endpoint, o.After)
		w.write(ctx, l, "released", func(ctx context.Context) error { return w.q.Release(ctx, l, Attempt{}) })
	case Divided:
		w.split(ctx, l, o)
	default:
		w.later(ctx, l, o)
	}
}

func (w *Worker) later(ctx context.Context, l Lease, o Outcome) {
	wait, dead := w.cfg.Policy.Next(l.Tries+1, l.Left, o.After, w.deps.Rand())
	if dead {
		w.die(ctx, l, ReasonExpired, o.Attempt)
		return
	}
	w.write(ctx, l, "rescheduled", func(ctx context.Context) error { return w.q.Retry(ctx, l, wait, o.Attempt) })
}

// split puts the parts in the delivery's place, each as its own outcome says, and
// reports those that are dead letters.
func (w *Worker) split(ctx context.Context, l Lease, o Outcome) {
	parts := make([]NewDelivery, len(o.Parts))
	for i, p := range o.Parts {
		d := NewDelivery{ID: p.ID, Endpoint: l.Endpoint, Recipients: p.Recipients, First: &p.Outcome.Attempt}
		var expired bool
		if d.Wait, expired = w.cfg.Policy.Next(l.Tries+1, l.Left, p.Outcome.After, w.deps.Rand()); p.Outcome.Kind == GiveUp {
			d.Dead = p.Outcome.Reason
		} else if expired {
			d.Dead = ReasonExpired
		}
		parts[i] = d
	}
	if !w.write(ctx, l, "split", func(ctx context.Context) error { return w.q.Split(ctx, l, parts) }) {
		return
	}
	for _, d := range parts {
		if d.Dead != "" {
			part := l
			part.ID, part.Recipients = d.ID, d.Recipients
			w.died(ctx, part, d.Dead, *d.First)
		}
	}
}

// die makes a dead letter of the delivery and reports it.
func (w *Worker) die(ctx context.Context, l Lease, reason string, a Attempt) {
	if w.write(ctx, l, "made a dead letter", func(ctx context.Context) error { return w.q.Dead(ctx, l, reason, a) }) {
		w.died(ctx, l, reason, a)
	}
}

// died reports a dead letter to the log, the observer and DeadLetter.
func (w *Worker) died(ctx context.Context, l Lease, reason string, a Attempt) {
	if a != (Attempt{}) {
		l.Attempts++
	}
	w.deps.Logger.Warn("a delivery became a dead letter", "delivery", l.ID, "message", l.MessageID, "endpoint", l.Endpoint, "reason", reason, "attempts", l.Attempts)
	if w.deps.Observer != nil {
		w.deps.Observer.Died(l, reason)
	}
	if w.deps.DeadLetter != nil {
		w.deps.DeadLetter(ctx, l, reason, a)
	}
}

// write calls f, which settles the lease, even while the worker is told to end.
// Where it fails, the delivery is due again when the lease runs out.
func (w *Worker) write(ctx context.Context, l Lease, what string, f func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	err := f(ctx)
	if err != nil {
		w.deps.Logger.Error("what became of a delivery couldn't be stored; it is attempted again when its lease runs out", "step", what, "delivery", l.ID, "endpoint", l.Endpoint, "err", err)
	}
	return err == nil
}

// restEndpoint leaves an endpoint alone for a while after a Skip.
func (w *Worker) restEndpoint(endpoint string, d time.Duration) {
	if d <= 0 {
		d = skipRest
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest[endpoint] = w.deps.Now().Add(d)
}

// keepLeases extends the leases of attempts under way; an attempt whose lease
// is lost is cut short.
func (w *Worker) keepLeases(ctx context.Context) {
	t := time.NewTicker(leaseTTL / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.extendAll(ctx)
		}
	}
}

func (w *Worker) extendAll(ctx context.Context) {
	w.mu.Lock()
	flights := make([]*flight, 0, len(w.inFlight))
	soon := w.deps.Now().Add(leaseTTL * 3 / 4)
	for _, f := range w.inFlight {
		if f.until.Before(soon) {
			flights = append(flights, f)
		}
	}
	w.mu.Unlock()
	for _, f := range flights {
		err := w.q.Extend(ctx, f.lease, leaseTTL)
		switch {
		case err == nil:
			f.until = w.deps.Now().Add(leaseTTL) // only this goroutine touches it after start
		case errors.Is(err, ErrLeaseLost):
			f.cancel(ErrLeaseLost)
		default:
			w.deps.Logger.Warn("a lease wasn't extended", "delivery", f.lease.ID, "err", err)
		}
	}
}
