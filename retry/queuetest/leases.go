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

// clockBack sets the clock back by a day: neither leases nor due times hold a
// delivery for that day.
func clockBack(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	ls := h.leased(2, "m1/a", "m2/b")
	h.ok(h.q.Retry(h.ctx(), ls[0], time.Hour, h.attempt(503)))
	h.c.Advance(-24 * time.Hour)
	h.leased(2)
	h.c.Advance(retry.MaxLease)
	h.leased(2)
	h.state(ls[1].ID, retry.Due)
	if s, ok := h.q.(interface{ Tidy() }); ok {
		s.Tidy() // holds due times within reach
		h.c.Advance(retry.MaxAfter)
		h.leased(2, ls[0].ID, ls[1].ID)
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
