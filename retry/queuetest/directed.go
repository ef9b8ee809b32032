package queuetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"postern/retry"
)

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
	h.ok(h.q.Retry(h.ctx(), h.one(), due, h.attempt(503)))
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
	h.ok(h.q.Retry(h.ctx(), ls[1], h.c.Now(), h.attempt(503)))
	h.want(h.q.Retry(h.ctx(), ls[1], h.c.Now(), h.attempt(503)), retry.ErrLeaseLost)
	h.leased(2, ls[1].ID)
}

func staleToken(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	stale := h.one()
	h.c.Advance(time.Minute)
	l := h.one()
	h.want(h.q.Ack(h.ctx(), stale, h.attempt(200)), retry.ErrLeaseLost)
	h.want(h.q.Retry(h.ctx(), stale, h.c.Now(), h.attempt(503)), retry.ErrLeaseLost)
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
	h.ok(h.q.Retry(h.ctx(), h.one(), h.c.Now().Add(time.Hour), h.attempt(503)))
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

func dedupe(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	m := h.message("m2", 70<<10)
	r, err := h.q.Enqueue(h.ctx(), m, []retry.NewDelivery{h.delivery("m1/a", "a")})
	h.ok(err)
	if r.Stored != 0 || r.Duplicates != 1 {
		h.Fatalf("Enqueue again = %+v", r)
	}
	s, err := h.q.Stats(h.ctx())
	h.ok(err)
	if s.Messages != 1 || s.Bytes != 100 {
		h.Fatalf("a duplicate is stored: %+v", s)
	}
	r, err = h.q.Enqueue(h.ctx(), h.message("m3", 100), []retry.NewDelivery{h.delivery("m1/a", "a"), h.delivery("m1/b", "b")})
	h.ok(err)
	if r.Stored != 1 || r.Duplicates != 1 {
		h.Fatalf("Enqueue of one old and one new = %+v", r)
	}
	h.ok(h.q.Ack(h.ctx(), h.leased(2, "m1/a", "m1/b")[0], h.attempt(200)))
	// Once done the id is free: dedupe is against open deliveries only.
	h.leased(2)
}

func deadAtOnceAndRevived(h *harness) {
	h.start(Bounds{})
	d := h.delivery("d", "a")
	first := h.attempt(406)
	d.Dead, d.First = "rejected", &first
	r, err := h.q.Enqueue(h.ctx(), h.message("m1", 100), []retry.NewDelivery{d})
	h.ok(err)
	if r.Stored != 1 {
		h.Fatalf("Enqueue = %+v", r)
	}
	h.leased(1)
	if i := h.state("d", retry.Dead); i.Reason != "rejected" || i.Attempts != 1 || i.LastStatus != 406 {
		h.Fatalf("dead at once: %+v", i)
	}
	r, err = h.q.Enqueue(h.ctx(), h.message("m2", 200), []retry.NewDelivery{h.delivery("d", "a")})
	h.ok(err)
	if r.Stored != 1 {
		h.Fatalf("Enqueue of a dead letter's id = %+v", r)
	}
	l := h.one()
	if l.MessageID != "m2" || l.Attempts != 1 || l.Tries != 0 {
		h.Fatalf("revived: %+v", l)
	}
	h.read(l.Body)
	h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
	h.empty()
}

func expired(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	h.ok(h.q.Pause(h.ctx(), "b", time.Time{}, "deploy"))
	req := retry.LeaseRequest{Max: 10, TTL: time.Minute, Expired: true}
	h.c.Advance(72*time.Hour - time.Millisecond)
	ls, err := h.q.Lease(h.ctx(), req)
	h.ok(err)
	if len(ls) != 0 {
		h.Fatalf("expired early: %v", ids(ls))
	}
	h.c.Advance(time.Millisecond)
	ls, err = h.q.Lease(h.ctx(), req)
	h.ok(err)
	if len(ls) != 2 {
		h.Fatalf("%d expired, want 2, the paused one too", len(ls))
	}
	for _, l := range ls {
		h.ok(h.q.Dead(h.ctx(), l, retry.ReasonExpired, retry.Attempt{}))
	}
	if i := h.state("m1/a", retry.Dead); i.Reason != retry.ReasonExpired || i.Attempts != 0 {
		h.Fatalf("%+v", i)
	}
	n, err := h.q.Replay(h.ctx(), retry.Filter{IDs: []string{"m1/a"}}, "", h.c.Now())
	h.ok(err)
	if n != 1 {
		h.Fatalf("replayed %d", n)
	}
	ls, err = h.q.Lease(h.ctx(), req)
	h.ok(err)
	if len(ls) != 0 {
		h.Fatal("a replayed delivery is expired at once")
	}
	h.leased(1, "m1/a")
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

func pause(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	h.ok(h.q.Pause(h.ctx(), "a", h.c.Now().Add(time.Hour), "deploy"))
	h.leased(10, "m2/b")
	es, err := h.q.Endpoints(h.ctx())
	h.ok(err)
	i := slices.IndexFunc(es, func(e retry.EndpointState) bool { return e.Endpoint == "a" })
	if i < 0 || !es[i].Paused || es[i].Why != "deploy" || !es[i].PausedUntil.Equal(h.c.Now().Add(time.Hour)) {
		h.Fatalf("Endpoints = %+v", es)
	}
	h.c.Advance(time.Hour)
	h.leased(10, "m1/a", "m2/b")
	h.put("m3", "a")
	h.ok(h.q.Pause(h.ctx(), "a", time.Time{}, "for good"))
	h.c.Advance(30 * time.Second)
	h.leased(10)
	h.ok(h.q.Resume(h.ctx(), "a"))
	h.leased(10, "m3/a")
}

func replay(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "a")
	h.ok(h.q.Retry(h.ctx(), h.one(), h.c.Now(), h.attempt(503)))
	for _, l := range h.lease(2) {
		h.ok(h.q.Dead(h.ctx(), l, "rejected", h.attempt(406)))
	}
	_, err := h.q.Replay(h.ctx(), retry.Filter{}, "", h.c.Now())
	h.want(err, retry.ErrNoFilter)
	n, err := h.q.Replay(h.ctx(), retry.Filter{All: true}, "", h.c.Now())
	h.ok(err)
	if n != 2 {
		h.Fatalf("replayed %d, want 2", n)
	}
	for _, l := range h.leased(2, "m1/a", "m2/a") {
		if l.Tries != 0 || l.Attempts == 0 || l.Reason != "" {
			h.Fatalf("replayed: %+v", l)
		}
	}
	if n, err = h.q.Replay(h.ctx(), retry.Filter{All: true}, "", h.c.Now()); err != nil || n != 0 {
		h.Fatalf("replayed %d leased ones, %v", n, err)
	}
}

func replayElsewhere(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", h.attempt(406)))
	_, err := h.q.Replay(h.ctx(), retry.Filter{Reason: "rejected"}, "other", h.c.Now())
	h.ok(err)
	if l := h.one(); l.Endpoint != "other" || l.Damaged {
		h.Fatalf("replayed elsewhere: %+v", l)
	}
}

func deleteRefusesLeased(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "a")
	l := h.one()
	_, err := h.q.Delete(h.ctx(), retry.Filter{})
	h.want(err, retry.ErrNoFilter)
	n, err := h.q.Delete(h.ctx(), retry.Filter{All: true})
	h.ok(err)
	if n != 1 {
		h.Fatalf("deleted %d, want the one that isn't leased", n)
	}
	h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
	h.empty()
}

func listPages(h *harness) {
	h.start(Bounds{})
	for i := range 25 {
		h.put(fmt.Sprintf("m%02d", i), "a")
	}
	var seen []string
	page := retry.Page{Size: 10}
	for {
		list, next, err := h.q.List(h.ctx(), retry.Filter{}, page)
		h.ok(err)
		for _, i := range list {
			seen = append(seen, i.ID)
		}
		if next.After == "" {
			break
		}
		page = next
	}
	if len(seen) != 25 || !slices.IsSorted(seen) {
		h.Fatalf("pages gave %d in order %v", len(seen), seen)
	}
	_, _, err := h.q.List(h.ctx(), retry.Filter{}, retry.Page{After: "'; drop"})
	if err == nil {
		h.Fatal("a made-up place in the list is taken")
	}
}

func filters(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a", "b")
	h.c.Advance(time.Hour)
	h.put("m2", "a")
	h.c.Advance(time.Second)
	l, err := h.q.LeaseID(h.ctx(), "m1/b", time.Minute)
	h.ok(err)
	h.ok(h.q.Dead(h.ctx(), l, "too_large", h.attempt(413)))
	_, err = h.q.LeaseID(h.ctx(), "m2/a", time.Minute)
	h.ok(err)
	for _, c := range []struct {
		f    retry.Filter
		want []string
	}{
		{retry.Filter{}, []string{"m1/a", "m1/b", "m2/a"}},
		{retry.Filter{IDs: []string{"m1/a", "m2/a", "no"}}, []string{"m1/a", "m2/a"}},
		{retry.Filter{MessageID: "m1"}, []string{"m1/a", "m1/b"}},
		{retry.Filter{State: retry.Due}, []string{"m1/a"}},
		{retry.Filter{State: retry.Leased}, []string{"m2/a"}},
		{retry.Filter{State: retry.Dead}, []string{"m1/b"}},
		{retry.Filter{Endpoint: "b"}, []string{"m1/b"}},
		{retry.Filter{Recipient: "M2/a@in.example"}, []string{"m2/a"}},
		{retry.Filter{Reason: "too_large"}, []string{"m1/b"}},
		{retry.Filter{Before: h.c.Now().Add(-time.Minute)}, []string{"m1/a", "m1/b"}},
		{retry.Filter{Endpoint: "a", Reason: "too_large"}, nil},
	} {
		list, _, err := h.q.List(h.ctx(), c.f, retry.Page{})
		h.ok(err)
		var got []string
		for _, i := range list {
			got = append(got, i.ID)
		}
		if !slices.Equal(got, c.want) {
			h.Errorf("%+v gave %v, want %v", c.f, got, c.want)
		}
	}
}

func attemptsKept(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	for i := range 30 {
		h.ok(h.q.Retry(h.ctx(), h.one(), h.c.Now(), h.attempt(500+i)))
	}
	i, as, err := h.q.Get(h.ctx(), "m1/a")
	h.ok(err)
	if i.Attempts != 30 || len(as) != 20 || as[0].N != 11 || as[19].N != 30 || as[19].Status != 529 {
		h.Fatalf("%d attempts, kept %d: %+v", i.Attempts, len(as), as)
	}
}

func boundsOfBytes(h *harness) {
	h.start(Bounds{Bytes: 1000})
	r, err := h.q.Reserve(h.ctx(), 600)
	h.ok(err)
	_, err = h.q.Reserve(h.ctx(), 401)
	h.want(err, retry.ErrFull)
	r.Release()
	r.Release() // twice is once
	r, err = h.q.Reserve(h.ctx(), 900)
	h.ok(err)
	ref, err := h.q.Stage(h.ctx(), r, content("m", 900))
	h.ok(err)
	_, err = h.q.Stage(h.ctx(), nil, content("n", 101))
	h.want(err, retry.ErrFull)
	m := retry.Message{ID: "m", Received: h.c.Now(), Expires: h.c.Now().Add(time.Hour), Body: ref}
	_, err = h.q.Enqueue(h.ctx(), m, []retry.NewDelivery{h.delivery("m/a", "a")})
	h.ok(err)
	r.Release()
	_, err = h.q.Reserve(h.ctx(), 101)
	h.want(err, retry.ErrFull)
	last, err := h.q.Reserve(h.ctx(), 100)
	h.ok(err)
	last.Release()
	h.ok(h.q.Ack(h.ctx(), h.one(), h.attempt(200)))
	ref, err = h.q.Stage(h.ctx(), nil, content("m", 1000))
	h.ok(err)
	h.ok(h.q.Discard(h.ctx(), ref))
	h.ok(h.q.Discard(h.ctx(), ref))
	r, err = h.q.Reserve(h.ctx(), 1000)
	h.ok(err)
	r.Release()
	h.empty()
}

func boundsOfMessages(h *harness) {
	h.start(Bounds{Messages: 2})
	h.put("m1", "a")
	h.put("m2", "a")
	_, err := h.q.Reserve(h.ctx(), 1)
	h.want(err, retry.ErrFull)
	h.ok(h.q.Ack(h.ctx(), h.one(), h.attempt(200)))
	h.put("m3", "a")
}

func deadShare(h *harness) {
	h.start(Bounds{Bytes: 1000})
	for i := range 4 {
		h.put(fmt.Sprint("m", i), "a") // 100 bytes each
	}
	for _, l := range h.lease(4) {
		h.ok(h.q.Dead(h.ctx(), l, "rejected", h.attempt(406)))
	}
	// 200 of the 400 bytes lie in the dead letters' own fifth.
	r, err := h.q.Reserve(h.ctx(), 800)
	h.ok(err)
	r.Release()
	_, err = h.q.Reserve(h.ctx(), 801)
	h.want(err, retry.ErrFull)
}

func largeBody(h *harness) {
	h.start(Bounds{})
	for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1, 300 << 10, 3 << 20} {
		id := fmt.Sprint("m", n)
		_, err := h.q.Enqueue(h.ctx(), h.message(id, n), []retry.NewDelivery{h.delivery(id, "a")})
		h.ok(err)
		l := h.one()
		if got := h.read(l.Body); !bytes.Equal(got, content(id, n)) {
			h.Fatalf("the body of %d bytes came back with %d", n, len(got))
		}
		b, err := h.q.Open(h.ctx(), l.Body)
		h.ok(err)
		if n > 100 {
			part := make([]byte, 50)
			_, err = b.ReadAt(part, int64(n-60))
			h.ok(err)
			if !bytes.Equal(part, content(id, n)[n-60:n-10]) {
				h.Fatalf("ReadAt of %d bytes = %q", n, part)
			}
		}
		h.ok(b.Close())
		h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
	}
	h.empty()
}

func keep(h *harness) {
	h.start(Bounds{})
	h.ok(h.q.Keep(h.ctx(), h.message("m1", 70<<10), h.c.Now().Add(time.Hour)))
	m, b, err := h.q.OpenMessage(h.ctx(), "m1")
	h.ok(err)
	h.ok(b.Verify())
	h.ok(b.Close())
	if m.ID != "m1" || m.Key != "key-m1" || string(m.Envelope) != `{"v":1,"id":"m1"}` || m.Body.Size != 70<<10 {
		h.Fatalf("OpenMessage = %+v", m)
	}
	h.leased(1)
	// The same message may get deliveries after all.
	again := m
	again.Body = h.message("m1", 70<<10).Body
	_, err = h.q.Enqueue(h.ctx(), again, []retry.NewDelivery{h.delivery("m1/a", "a")})
	h.ok(err)
	h.ok(h.q.Ack(h.ctx(), h.one(), h.attempt(200)))
	_, b, err = h.q.OpenMessage(h.ctx(), "m1")
	h.ok(err)
	h.ok(b.Close())
	h.ok(h.q.Keep(h.ctx(), retry.Message{ID: "m1"}, time.Time{}))
	_, _, err = h.q.OpenMessage(h.ctx(), "m1")
	h.want(err, retry.ErrNotFound)
	h.empty()
}

func retain(h *harness) {
	h.start(Bounds{})
	m := h.message("m1", 100)
	m.Retain = time.Hour
	_, err := h.q.Enqueue(h.ctx(), m, []retry.NewDelivery{h.delivery("m1/a", "a")})
	h.ok(err)
	h.ok(h.q.Ack(h.ctx(), h.one(), h.attempt(200)))
	_, b, err := h.q.OpenMessage(h.ctx(), "m1")
	h.ok(err)
	h.ok(b.Close())
	h.c.Advance(time.Hour)
	if s, ok := h.q.(interface{ Tidy() }); ok {
		s.Tidy()
		_, _, err = h.q.OpenMessage(h.ctx(), "m1")
		h.want(err, retry.ErrNotFound)
		h.empty()
	}
}

func ledger(h *harness) {
	h.start(Bounds{})
	taken := func(key string, want ...string) {
		h.Helper()
		got, err := h.q.Taken(h.ctx(), key)
		h.ok(err)
		if !slices.Equal(got, want) {
			h.Fatalf("Taken(%s) = %v, want %v", key, got, want)
		}
	}
	taken("k")
	h.ok(h.q.Remember(h.ctx(), "k", []string{"x", "y"}, h.c.Now().Add(time.Hour)))
	h.ok(h.q.Remember(h.ctx(), "k", []string{"y", "z"}, h.c.Now().Add(time.Hour)))
	taken("k", "x", "y", "z")
	taken("other")
	h.ok(h.q.Forget(h.ctx(), "k"))
	h.ok(h.q.Forget(h.ctx(), "k"))
	taken("k")
	h.ok(h.q.Remember(h.ctx(), "k", []string{"x"}, h.c.Now().Add(time.Hour)))
	h.c.Advance(time.Hour)
	taken("k")
}

func meta(h *harness) {
	h.start(Bounds{})
	v, err := h.q.Meta(h.ctx(), "key")
	h.ok(err)
	if v != nil {
		h.Fatalf("an absent value is %q", v)
	}
	h.ok(h.q.SetMeta(h.ctx(), "key", []byte("one")))
	h.ok(h.q.SetMeta(h.ctx(), "key", []byte("two\x00")))
	v, err = h.q.Meta(h.ctx(), "key")
	h.ok(err)
	if string(v) != "two\x00" {
		h.Fatalf("Meta = %q", v)
	}
}

func breaker(h *harness) {
	h.start(Bounds{})
	h.ok(h.q.SaveBreaker(h.ctx(), "a", []byte(`{"state":"open"}`)))
	h.ok(h.q.Pause(h.ctx(), "a", time.Time{}, ""))
	h.ok(h.q.Resume(h.ctx(), "a"))
	es, err := h.q.Endpoints(h.ctx())
	h.ok(err)
	if len(es) != 1 || es[0].Endpoint != "a" || es[0].Paused || string(es[0].Breaker) != `{"state":"open"}` {
		h.Fatalf("Endpoints = %+v", es)
	}
}

func stats(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a", "b")
	h.c.Advance(time.Second)
	h.put("m2", "a")
	h.c.Advance(time.Second)
	for _, id := range []string{"m1/a", "m1/b"} {
		l, err := h.q.LeaseID(h.ctx(), id, time.Minute)
		h.ok(err)
		h.ok(h.q.Dead(h.ctx(), l, "rejected", retry.Attempt{}))
	}
	s, err := h.q.Stats(h.ctx())
	h.ok(err)
	if s.Bytes != 200 || s.Messages != 2 || s.Endpoints["a"] != (retry.Counts{Due: 1, Dead: 1}) || s.Endpoints["b"] != (retry.Counts{Dead: 1}) ||
		s.DeadByReason["rejected"] != 2 || !s.OldestDue.Equal(h.c.Now().Add(-time.Second)) {
		h.Fatalf("Stats = %+v", s)
	}
	h.ok(h.q.Health(h.ctx()))
}

func nextDue(h *harness) {
	h.start(Bounds{})
	next := func(want time.Time) {
		h.Helper()
		got, err := h.q.NextDue(h.ctx(), func(e string) int { return map[string]int{"a": 1}[e] })
		h.ok(err)
		if !got.Equal(want) {
			h.Fatalf("NextDue = %v, want %v", got, want)
		}
	}
	next(time.Time{})
	h.put("m1", "a")
	l := h.one()
	next(l.Until)
	due := h.c.Now().Add(time.Hour)
	h.ok(h.q.Retry(h.ctx(), l, due, h.attempt(503)))
	next(due)
	h.put("m2", "b") // no room there
	next(due)
	h.ok(h.q.Pause(h.ctx(), "a", h.c.Now().Add(time.Minute), ""))
	next(h.c.Now().Add(time.Minute))
	h.ok(h.q.Pause(h.ctx(), "a", time.Time{}, ""))
	next(h.c.Now().Add(72 * time.Hour)) // when they expire
}

func notify(h *harness) {
	h.start(Bounds{})
	heard := func(what string) {
		h.Helper()
		select {
		case <-h.q.Notify():
		case <-time.After(5 * time.Second):
			h.Fatalf("no hint after %s", what)
		}
	}
	h.put("m1", "a")
	heard("Enqueue")
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", retry.Attempt{}))
	_, err := h.q.Replay(h.ctx(), retry.Filter{All: true}, "", h.c.Now())
	h.ok(err)
	heard("Replay")
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
					m := retry.Message{ID: id, Received: h.c.Now(), Expires: h.c.Now().Add(time.Hour), Body: ref}
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

// clockBack sets the clock back by a day: neither leases nor due times hold a
// delivery for that day.
func clockBack(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	ls := h.leased(2, "m1/a", "m2/b")
	h.ok(h.q.Retry(h.ctx(), ls[0], h.c.Now().Add(time.Hour), h.attempt(503)))
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
