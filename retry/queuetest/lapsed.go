package queuetest

import (
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
