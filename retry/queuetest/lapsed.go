package queuetest

import (
	"context"
	"errors"
	"time"

	"postern/retry"
)

// lapsed: a lease that ran out without an outcome marks the next one, and only
// that; one that was given back, or whose outcome came late, doesn't.
func lapsed(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	one := func(want bool) retry.Lease {
		h.Helper()
		l := h.one()
		if l.Lapsed != want {
			h.Fatalf("lapsed = %v, want %v: %+v", l.Lapsed, want, l)
		}
		return l
	}
	one(false)
	h.c.Advance(time.Minute)
	h.ok(h.q.Release(h.ctx(), one(true), retry.Attempt{}))
	h.ok(h.q.Retry(h.ctx(), one(false), 0, h.attempt(503)))
	one(false)
	h.c.Advance(time.Minute)
	one(true)
	h.c.Advance(time.Minute)
	late := one(true)
	h.c.Advance(time.Minute)
	h.leased(0) // whoever looks ends the leases that ran out
	h.ok(h.q.Release(h.ctx(), late, retry.Attempt{}))
	late = one(false)
	h.c.Advance(time.Minute)
	h.leased(0)
	h.ok(h.q.Extend(h.ctx(), late, time.Minute)) // late, but nobody else took it
	h.ok(h.q.Release(h.ctx(), late, retry.Attempt{}))
	h.ok(h.q.Dead(h.ctx(), one(false), "rejected", h.attempt(406)))
	dead, err := h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.ok(err)
	h.c.Advance(time.Minute)
	h.leased(9)
	h.state("m1/a", retry.Dead)
	h.ok(h.q.Release(h.ctx(), dead, retry.Attempt{}))
	h.state("m1/a", retry.Dead)
}

// lapsedAtItsEnd: what was leased when its gateway was killed, and passed its end
// while nobody ran, gets its last attempt all the same.
func lapsedAtItsEnd(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.one()
	h.c.Advance(73 * time.Hour)
	var got retry.Lease
	h.work(h.q, func(l retry.Lease) { got = l })
	if _, _, err := h.q.Get(h.ctx(), "m1/a"); !errors.Is(err, retry.ErrNotFound) || got.Attempts != 1 {
		h.Fatalf("attempted as %+v, then %v", got, err)
	}
}

// lostAtItsEnd: a delivery whose last attempt is lost again and again ends.
func lostAtItsEnd(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.one()
	h.c.Advance(73 * time.Hour)
	attempts := 0
	for range 5 {
		h.work(losing{h.q}, func(retry.Lease) { attempts++ })
		h.c.Advance(3 * time.Minute)
	}
	i, past, err := h.q.Get(h.ctx(), "m1/a")
	h.ok(err)
	if i.State != retry.Dead || i.Reason != retry.ReasonExpired || attempts != 2 || len(past) != 3 || past[2].Reason != retry.ReasonLost {
		h.Fatalf("after %d attempts it is %+v, %+v", attempts, i, past)
	}
}

// losing is a queue whose worker ends before it has stored that mail was taken.
type losing struct{ retry.Queue }

func (losing) Ack(context.Context, retry.Lease, retry.Attempt) error { return errors.New("killed") }

// work has a worker work, without jitter, until it made an attempt or a dead letter.
func (h *harness) work(q retry.Queue, attempt func(retry.Lease)) {
	h.Helper()
	if i, _, err := h.q.Get(h.ctx(), "m1/a"); err == nil && i.State == retry.Dead {
		return
	}
	ctx, stop := context.WithTimeout(h.ctx(), 20*time.Second)
	defer stop()
	deps := retry.WorkerDeps{Now: h.c.Now, Rand: func() float64 { return 0 },
		DeadLetter: func(context.Context, retry.Lease, string, retry.Attempt) { stop() }}
	h.ok(retry.NewWorker(q, deliverer(func(l retry.Lease) { attempt(l); stop() }), retry.WorkerConfig{}, deps).Run(ctx))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		h.Fatal("no attempt was made")
	}
}

// deliverer sees each attempt, which its webhook takes.
type deliverer func(retry.Lease)

func (d deliverer) Deliver(_ context.Context, l retry.Lease) retry.Outcome {
	d(l)
	return retry.Outcome{Kind: retry.Done}
}
