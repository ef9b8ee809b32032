package queuetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"postern/retry"
)

// How deliveries are taken, held, settled and timed.

func lifecycle(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a", "b")
	ls := h.leased(10, "m1/a", "m1/b")
	h.leased(10) // leased already
	l := ls[0]
	if l.Damaged || l.MessageID != "m1" || l.Key != "key-m1" || l.From != "m1@sender.example" || l.Subject != "subject of m1" ||
		l.Size != 100 || string(l.Envelope) != `{"v":1,"id":"m1"}` || !slices.Equal(l.Recipients, []string{l.ID + "@in.example"}) ||
		l.Tries != 0 || l.Attempts != 0 || !l.Received.Equal(h.c.Now()) || !l.Expires.Equal(h.c.Now().Add(72*time.Hour)) {
		h.Fatalf("the lease says %+v", l)
	}
	if got := h.read(l.Body); !bytes.Equal(got, content("m1", 100)) {
		h.Fatalf("body = %q", got)
	}
	h.ok(h.q.Ack(h.ctx(), ls[0], h.attempt(200)))
	h.read(ls[1].Body) // the other delivery still needs it
	h.ok(h.q.Ack(h.ctx(), ls[1], h.attempt(200)))
	h.empty()
	_, _, err := h.q.Get(h.ctx(), "m1/a")
	h.want(err, retry.ErrNotFound)
	h.want(h.q.Ack(h.ctx(), ls[1], h.attempt(200)), retry.ErrLeaseLost)
}

func retryKeepsDueAndCount(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	due := h.c.Now().Add(15 * time.Second)
	h.ok(h.q.Retry(h.ctx(), h.one(), 15*time.Second, h.attempt(503)))
	i := h.state("m1/a", retry.Due)
	if !i.DueAt.Equal(due) || i.Attempts != 1 || i.LastStatus != 503 || i.LastError != "status 503" {
		h.Fatalf("after Retry: %+v", i)
	}
	h.c.Advance(14 * time.Second)
	h.leased(1)
	h.c.Advance(time.Second)
	if l := h.one(); l.Tries != 1 || l.Attempts != 1 {
		h.Fatalf("tries %d, attempts %d, want 1 and 1", l.Tries, l.Attempts)
	}
	_, as, err := h.q.Get(h.ctx(), "m1/a")
	h.ok(err)
	if len(as) != 1 || as[0].N != 1 || as[0].Status != 503 || as[0].Took != time.Second || as[0].Reason != "unavailable" {
		h.Fatalf("attempts = %+v", as)
	}
}

// postponed: what was due again without an attempt has none behind it.
func postponed(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	due := h.c.Now().Add(15 * time.Second)
	h.ok(h.q.Retry(h.ctx(), h.one(), 15*time.Second, retry.Attempt{}))
	if i := h.state("m1/a", retry.Due); !i.DueAt.Equal(due) || i.Attempts != 0 || i.LastStatus != 0 {
		h.Fatalf("after a Retry without an attempt: %+v", i)
	}
	h.leased(1)
	h.c.Advance(15 * time.Second)
	if l := h.one(); l.Tries != 0 || l.Attempts != 0 {
		h.Fatalf("tries %d, attempts %d, want none", l.Tries, l.Attempts)
	}
}

func leaseExpires(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	first := h.one()
	h.c.Advance(59 * time.Second)
	h.leased(1)
	h.c.Advance(time.Second)
	second := h.one()
	if second.Token == first.Token {
		h.Fatal("the second lease has the first one's token")
	}
	if second.Attempts != 0 {
		h.Fatalf("an expired lease counted %d attempts", second.Attempts)
	}
}

// lateOutcome comes after the lease ran out and before anybody else took the
// delivery: it is the truth and spares a duplicate.
func lateOutcome(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "a")
	ls := h.leased(2, "m1/a", "m2/a")
	h.c.Advance(time.Hour)
	h.ok(h.q.Ack(h.ctx(), ls[0], h.attempt(200)))
	h.ok(h.q.Retry(h.ctx(), ls[1], 0, h.attempt(503)))
	h.want(h.q.Retry(h.ctx(), ls[1], 0, h.attempt(503)), retry.ErrLeaseLost)
	h.leased(2, ls[1].ID)
}

func staleToken(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	stale := h.one()
	h.c.Advance(time.Minute)
	l := h.one()
	h.want(h.q.Ack(h.ctx(), stale, h.attempt(200)), retry.ErrLeaseLost)
	h.want(h.q.Retry(h.ctx(), stale, 0, h.attempt(503)), retry.ErrLeaseLost)
	h.want(h.q.Dead(h.ctx(), stale, "rejected", h.attempt(406)), retry.ErrLeaseLost)
	h.want(h.q.Release(h.ctx(), stale, retry.Attempt{}), retry.ErrLeaseLost)
	h.want(h.q.Extend(h.ctx(), stale, time.Minute), retry.ErrLeaseLost)
	h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
	h.empty()
}

func extend(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	l := h.one()
	h.c.Advance(50 * time.Second)
	h.ok(h.q.Extend(h.ctx(), l, time.Minute))
	h.c.Advance(50 * time.Second)
	h.leased(1)
	h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
	h.put("m2", "a")
	l = h.one()
	h.c.Advance(time.Minute)
	h.ok(h.q.Extend(h.ctx(), l, time.Minute)) // late, but nobody else took it
	h.leased(1)
	h.c.Advance(time.Minute)
	h.one()
	h.want(h.q.Extend(h.ctx(), l, time.Minute), retry.ErrLeaseLost)
}

func release(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.ok(h.q.Release(h.ctx(), h.one(), retry.Attempt{}))
	l := h.one()
	if l.Attempts != 0 {
		h.Fatalf("Release without an attempt counted %d", l.Attempts)
	}
	h.ok(h.q.Release(h.ctx(), l, h.attempt(0)))
	if l = h.one(); l.Attempts != 1 {
		h.Fatalf("Release with an attempt counted %d", l.Attempts)
	}
	h.ok(h.q.Dead(h.ctx(), l, "rejected", h.attempt(406)))
	l, err := h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.ok(err)
	h.ok(h.q.Release(h.ctx(), l, h.attempt(0)))
	if i := h.state("m1/a", retry.Dead); i.Reason != "rejected" || i.Attempts != 3 {
		h.Fatalf("a dead letter given back says %+v", i)
	}
}

func leaseID(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.ok(h.q.Retry(h.ctx(), h.one(), time.Hour, h.attempt(503)))
	_, err := h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.ok(err)
	_, err = h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.want(err, retry.ErrLeaseLost)
	h.c.Advance(time.Minute) // back to due in an hour
	h.state("m1/a", retry.Due)
	h.leased(1)
	l, err := h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.ok(err)
	h.ok(h.q.Dead(h.ctx(), l, "rejected", retry.Attempt{}))
	l, err = h.q.LeaseID(h.ctx(), "m1/a", time.Minute)
	h.ok(err)
	if got := h.read(l.Body); len(got) != 100 {
		h.Fatalf("body of %d bytes", len(got))
	}
	h.c.Advance(2 * time.Minute)
	h.leased(1)
	h.state("m1/a", retry.Dead) // a dead letter's lease falls back to dead
	_, err = h.q.LeaseID(h.ctx(), "nobody", time.Minute)
	h.want(err, retry.ErrNotFound)
}

func fair(h *harness) {
	h.start(Bounds{})
	for i := range 50 {
		h.put(fmt.Sprintf("old%d", i), "dead")
	}
	h.c.Advance(time.Second)
	h.put("new", "alive")
	h.put("new2", "alive")
	ls := h.lease(10)
	if n := len(slices.DeleteFunc(ls, func(l retry.Lease) bool { return l.Endpoint != "alive" })); n != 2 {
		h.Fatalf("%d of another endpoint's deliveries among 10 leases, want both", n)
	}
}

func room(h *harness) {
	h.start(Bounds{})
	for i := range 5 {
		h.put(fmt.Sprint("m", i), "a", "b", "c")
	}
	limit := map[string]int{"a": 0, "b": 2, "c": 9}
	ls, err := h.q.Lease(h.ctx(), retry.LeaseRequest{Max: 100, TTL: time.Minute, Room: func(e string) int { return limit[e] }})
	h.ok(err)
	got := map[string]int{}
	for _, l := range ls {
		got[l.Endpoint]++
	}
	if got["a"] != 0 || got["b"] != 2 || got["c"] != 5 {
		h.Fatalf("leased %v within room %v", got, limit)
	}
}

// leaseOctets bounds a lease by its bodies, one of them aside.
func leaseOctets(h *harness) {
	h.start(Bounds{})
	for i := range 6 {
		h.put(fmt.Sprint("m", i), "a", "b") // 100 octets each
	}
	for _, c := range []struct {
		octets int64
		want   int
	}{{1, 1}, {100, 1}, {101, 2}, {250, 3}, {0, 5}} {
		ls, err := h.q.Lease(h.ctx(), retry.LeaseRequest{Max: 100, TTL: time.Minute, Octets: c.octets})
		h.ok(err)
		if len(ls) != min(c.want, 12) {
			h.Errorf("%d octets: leased %d, want %d", c.octets, len(ls), c.want)
		}
		for _, l := range ls {
			h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
		}
	}
}

// concurrent has many writers and workers at once: each delivery is
// acknowledged exactly once.
func concurrent(h *harness) {
	h.start(Bounds{})
	const writers, each = 8, 25
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("m%d-%d", w, i)
				ref, err := h.q.Stage(h.ctx(), nil, content(id, 500))
				if err == nil {
					m := retry.Message{ID: id, Received: h.c.Now(), Life: time.Hour, Body: ref}
					_, err = h.q.Enqueue(h.ctx(), m, []retry.NewDelivery{h.delivery(id, fmt.Sprint("e", i%3))})
				}
				errs <- err
			}
		})
	}
	var mu sync.Mutex
	acked := map[string]int{}
	for range 4 {
		wg.Go(func() {
			for {
				mu.Lock()
				done := len(acked) == writers*each
				mu.Unlock()
				if done || h.Failed() {
					return
				}
				ls, err := h.q.Lease(h.ctx(), retry.LeaseRequest{Max: 10, TTL: time.Minute})
				if err != nil {
					errs <- err
					return
				}
				for _, l := range ls {
					if err := h.q.Ack(h.ctx(), l, retry.Attempt{}); err != nil {
						errs <- err
						return
					}
					mu.Lock()
					acked[l.ID]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		h.ok(err)
	}
	for id, n := range acked {
		if n != 1 {
			h.Errorf("%s acknowledged %d times", id, n)
		}
	}
	h.empty()
}
