package queuetest

import (
	"fmt"
	"postern/retry"
	"time"
)

// What is put in a delivery's place, and what is made due.

// split puts parts in a delivery's place that know what lies behind it.
func split(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	for range 3 {
		h.ok(h.q.Retry(h.ctx(), h.one(), 0, h.attempt(503)))
		h.c.Advance(time.Hour)
	}
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", h.attempt(406)))
	_, err := h.q.Replay(h.ctx(), retry.Filter{All: true}, "", 0)
	h.ok(err)
	l := h.one()
	whole, other := h.attempt(550), h.attempt(450)
	parts := []retry.NewDelivery{
		{ID: "later", Endpoint: "a", Recipients: []string{"x@in.example"}, Wait: time.Minute, First: &other},
		{ID: "dead", Endpoint: "a", Recipients: []string{"y@in.example"}, Dead: "rejected", First: &whole},
		{ID: "m1/a", Endpoint: "a", Recipients: []string{"z@in.example"}, Wait: time.Hour, First: &other}, // the lease's own id
	}
	h.ok(h.q.Split(h.ctx(), l, parts))
	h.want(h.q.Split(h.ctx(), l, parts), retry.ErrLeaseLost)
	h.want(h.q.Ack(h.ctx(), l, h.attempt(200)), retry.ErrLeaseLost)
	for id, want := range map[string]retry.Info{"later": {State: retry.Due, LastStatus: 450}, "m1/a": {State: retry.Due, LastStatus: 450},
		"dead": {State: retry.Dead, LastStatus: 550, Reason: "rejected"}} {
		i, history, err := h.q.Get(h.ctx(), id)
		h.ok(err)
		if i.State != want.State || i.LastStatus != want.LastStatus || i.Reason != want.Reason || i.Attempts != 5 || !i.Expires.Equal(l.Expires) || i.MessageID != "m1" {
			h.Fatalf("%s: %+v", id, i)
		}
		if len(history) != 5 || history[0].Status != 503 || history[3].Status != 406 || history[4].N != 5 || history[4].Status != want.LastStatus {
			h.Fatalf("%s: history %+v", id, history)
		}
	}
	h.c.Advance(time.Minute)
	part := h.leased(3, "later")[0]
	if part.Tries != 1 || part.Damaged || part.Recipients[0] != "x@in.example" {
		h.Fatalf("a part counts %d tries: %+v", part.Tries, part)
	}
	h.read(part.Body)
	h.ok(h.q.Split(h.ctx(), part, nil)) // nothing is left: done
	n, err := h.q.Delete(h.ctx(), retry.Filter{All: true})
	h.ok(err)
	if n != 2 {
		h.Fatalf("deleted %d, want the two parts that are left", n)
	}
	h.empty()
}

func retryNow(h *harness) {
	h.start(Bounds{})
	for i := range 20 {
		id := fmt.Sprint("m", i)
		h.put(id, "a")
		h.ok(h.q.Retry(h.ctx(), h.one(), time.Hour, h.attempt(503)))
	}
	h.put("b", "b")
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", h.attempt(406)))
	_, err := h.q.RetryNow(h.ctx(), retry.Filter{}, 0)
	h.want(err, retry.ErrNoFilter)
	n, err := h.q.RetryNow(h.ctx(), retry.Filter{Endpoint: "a"}, time.Minute)
	h.ok(err)
	if n != 20 {
		h.Fatalf("%d made due, want 20", n)
	}
	h.c.Advance(30 * time.Second)
	first := len(h.lease(100))
	h.c.Advance(30 * time.Second)
	if rest := len(h.lease(100)); first == 0 || first == 20 || first+rest != 20 {
		h.Fatalf("%d in the first half of the spread and %d in the second, want 20 in both", first, rest)
	}
	n, err = h.q.RetryNow(h.ctx(), retry.Filter{All: true}, 0)
	h.ok(err)
	if n != 0 {
		h.Fatalf("%d leased or dead deliveries made due", n)
	}
}
