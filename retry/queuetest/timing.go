package queuetest

import (
	"postern/retry"
	"slices"
	"time"
)

// When deliveries are due, expire and are hinted at.

// expired takes for dead letters only what nobody can attempt; the rest gets
// its last attempt.
func expired(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "paused")
	h.put("m3", "held")
	h.ok(h.q.Pause(h.ctx(), "paused", 0, "deploy"))
	req := retry.LeaseRequest{Max: 10, TTL: time.Minute, Expired: true, Held: func(e string) bool { return e == "held" }}
	expired := func(req retry.LeaseRequest, want ...string) []retry.Lease {
		h.Helper()
		ls, err := h.q.Lease(h.ctx(), req)
		h.ok(err)
		if got := ids(ls); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			h.Fatalf("expired %v, want %v", got, want)
		}
		return ls
	}
	h.c.Advance(72*time.Hour - time.Millisecond)
	expired(req)
	h.c.Advance(time.Millisecond)
	req.Since = time.Millisecond // they passed it a millisecond ago: just out
	h.c.Advance(time.Millisecond)
	expired(req)
	req.Since = 2 * time.Millisecond
	for _, l := range expired(req, "m2/paused", "m3/held") {
		h.ok(h.q.Dead(h.ctx(), l, retry.ReasonExpired, retry.Attempt{}))
	}
	if i := h.state("m2/paused", retry.Dead); i.Reason != retry.ReasonExpired || i.Attempts != 0 {
		h.Fatalf("%+v", i)
	}
	if l := h.leased(3, "m1/a")[0]; l.Left > 0 {
		h.Fatalf("%v left of a life that is over", l.Left)
	}
	h.ok(h.q.Resume(h.ctx(), "paused"))
	n, err := h.q.Replay(h.ctx(), retry.Filter{IDs: []string{"m2/paused"}}, "", 0)
	h.ok(err)
	if n != 1 {
		h.Fatalf("replayed %d", n)
	}
	req.Held = func(string) bool { return true }
	expired(req)
	if l := h.leased(1, "m2/paused")[0]; l.Left != 72*time.Hour {
		h.Fatalf("a second life of %v", l.Left)
	}
}

func nextDue(h *harness) {
	h.start(Bounds{})
	req := retry.LeaseRequest{Room: func(e string) int { return map[string]int{"a": 1}[e] }}
	next := func(want time.Duration) {
		h.Helper()
		got, some, err := h.q.NextDue(h.ctx(), req)
		h.ok(err)
		if !some || got != want {
			h.Fatalf("NextDue = %v, %v, want %v", got, some, want)
		}
	}
	nothing := func() {
		h.Helper()
		if got, some, err := h.q.NextDue(h.ctx(), req); err != nil || some {
			h.Fatalf("NextDue = %v, %v, %v where nothing waits", got, some, err)
		}
	}
	nothing()
	h.put("m1", "a")
	l := h.one()
	next(time.Minute) // when the lease runs out
	h.ok(h.q.Retry(h.ctx(), l, time.Hour, h.attempt(503)))
	next(time.Hour)
	h.put("m2", "b") // no room there
	next(time.Hour)
	h.ok(h.q.Pause(h.ctx(), "a", time.Minute, ""))
	next(time.Minute)
	h.ok(h.q.Pause(h.ctx(), "a", 0, ""))
	next(72 * time.Hour) // when they expire
	h.ok(h.q.Resume(h.ctx(), "a"))
	req.Room = func(string) int { return 0 }
	nothing() // whoever has no room knows when it has again
	req.Held = func(e string) bool { return e == "b" }
	next(72 * time.Hour)
	h.c.Advance(time.Hour)
	h.put("m3", "c")
	req.Held = func(e string) bool { return e == "c" }
	next(72 * time.Hour) // the others pass their end before it, and are due
}

func notify(h *harness) {
	h.start(Bounds{})
	heard := func(what string) {
		h.Helper()
		select {
		case <-h.q.Notify():
		case <-time.After(time.Minute):
			h.Fatalf("no hint after %s", what)
		}
	}
	h.put("m1", "a")
	heard("Enqueue")
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", retry.Attempt{}))
	_, err := h.q.Replay(h.ctx(), retry.Filter{All: true}, "", 0)
	h.ok(err)
	heard("Replay")
}

// clockBack sets the clock back: neither leases nor due times hold a delivery for as
// long.
func clockBack(step time.Duration) func(*harness) {
	return func(h *harness) { setBack(h, step) }
}

func setBack(h *harness, step time.Duration) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	ls := h.leased(2, "m1/a", "m2/b")
	h.ok(h.q.Retry(h.ctx(), ls[0], time.Hour, h.attempt(503)))
	h.c.Advance(-step)
	h.leased(2)
	h.c.Advance(retry.MaxLease)
	h.leased(2)
	for end := time.Now().Add(time.Minute); h.stateOf(ls[1].ID) != retry.Due && time.Now().Before(end); {
		h.leased(2) // ends leases; one that the housekeeping has in hand with the next call
	}
	h.state(ls[1].ID, retry.Due)
	if s, ok := h.q.(interface{ Tidy() }); ok {
		s.Tidy() // holds due times within reach
		h.c.Advance(retry.MaxAfter)
		h.leased(2, ls[0].ID, ls[1].ID)
	}
}
