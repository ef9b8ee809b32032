package queuetest

import (
	"time"

	"postern/retry"
)

// shortLives: a delivery that lives shorter than its message ends then, counts as the
// oldest only where it is, and lives as long as its message once it is replayed.
func shortLives(h *harness) {
	h.start(Bounds{})
	began := h.c.Now()
	h.put("old", "a")
	h.c.Advance(70 * time.Hour)
	short := func(id string, life time.Duration) {
		m := h.message(id, 100)
		d := retry.NewDelivery{ID: id + "/a", Endpoint: "a", Recipients: []string{"r@in.example"}, Life: life}
		_, err := h.q.Enqueue(h.ctx(), m, []retry.NewDelivery{d})
		h.ok(err)
	}
	oldest := func(want time.Time) {
		h.Helper()
		s, err := h.q.Stats(h.ctx())
		h.ok(err)
		if !s.OldestOf["a"].Equal(want) || !s.OldestDue.Equal(want) {
			h.Fatalf("the oldest is of %v and %v, want %v", s.OldestOf["a"], s.OldestDue, want)
		}
	}
	short("s1", time.Minute)
	h.c.Advance(time.Second)
	short("s2", time.Minute)
	short("s3", 1000*time.Hour)
	oldest(began)
	for id, want := range map[string]time.Duration{"s1/a": time.Minute - time.Second, "s2/a": time.Minute, "s3/a": 72 * time.Hour} {
		l, err := h.q.LeaseID(h.ctx(), id, time.Minute)
		h.ok(err)
		if l.Left != want {
			h.Errorf("%s: %v left, want %v", id, l.Left, want)
		}
		h.ok(h.q.Release(h.ctx(), l, retry.Attempt{}))
	}
	l, err := h.q.LeaseID(h.ctx(), "old/a", time.Minute)
	h.ok(err)
	h.ok(h.q.Ack(h.ctx(), l, retry.Attempt{}))
	oldest(began.Add(70 * time.Hour))
	l, err = h.q.LeaseID(h.ctx(), "s1/a", time.Minute)
	h.ok(err)
	h.ok(h.q.Dead(h.ctx(), l, retry.ReasonExpired, retry.Attempt{}))
	_, err = h.q.Replay(h.ctx(), retry.Filter{IDs: []string{"s1/a"}}, "", 0)
	h.ok(err)
	i, _, err := h.q.Get(h.ctx(), "s1/a")
	h.ok(err)
	if !i.Expires.Equal(h.c.Now().Add(72 * time.Hour)) {
		h.Fatalf("replayed, it ends %v from now", i.Expires.Sub(h.c.Now()))
	}
	oldest(began.Add(70*time.Hour + time.Second))
}
