package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/retry"
)

// The operator's side: pausing, listing, replaying, deleting, counting.

// waiting counts what an endpoint has before it, not its dead letters.
func waiting(h *harness) {
	h.start(Bounds{})
	expect := func(endpoint string, most, deliveries, bytes int64) {
		h.Helper()
		w, err := h.q.Waiting(h.ctx(), endpoint, most)
		h.ok(err)
		if w != (retry.Waiting{Deliveries: deliveries, Bytes: bytes}) {
			h.Fatalf("%s has %+v before it, want %d of %d octets", endpoint, w, deliveries, bytes)
		}
	}
	expect("a", 0, 0, 0)
	h.put("m1", "a", "b")
	h.put("m2", "a")
	h.put("m3", "a")
	expect("a", 0, 3, 300)
	expect("a", 2, 2, 200)
	expect("b", 10, 1, 100)
	ls := h.lease(4)
	expect("a", 0, 3, 300)
	for _, l := range ls {
		if l.ID == "m2/a" {
			h.ok(h.q.Dead(h.ctx(), l, "rejected", h.attempt(406)))
		}
		if l.ID == "m3/a" {
			h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
		}
	}
	expect("a", 0, 1, 100)
}

func pause(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "b")
	h.ok(h.q.Pause(h.ctx(), "a", time.Hour, "deploy"))
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
	h.ok(h.q.Pause(h.ctx(), "a", 0, "for good"))
	h.c.Advance(30 * time.Second)
	h.leased(10)
	h.ok(h.q.Resume(h.ctx(), "a"))
	h.leased(10, "m3/a")
}

// resumes counts, so that whoever has the breaker hears of each.
func resumes(h *harness) {
	h.start(Bounds{})
	for want := range int64(3) {
		es, err := h.q.Endpoints(h.ctx())
		h.ok(err)
		if want > 0 && (len(es) != 1 || es[0].Resumes != want) {
			h.Fatalf("after %d resumes: %+v", want, es)
		}
		h.ok(h.q.Resume(h.ctx(), "a"))
	}
}

func replay(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.put("m2", "a")
	h.ok(h.q.Retry(h.ctx(), h.one(), 0, h.attempt(503)))
	for _, l := range h.lease(2) {
		h.ok(h.q.Dead(h.ctx(), l, "rejected", h.attempt(406)))
	}
	_, err := h.q.Replay(h.ctx(), retry.Filter{}, "", 0)
	h.want(err, retry.ErrNoFilter)
	n, err := h.q.Replay(h.ctx(), retry.Filter{All: true}, "", 0)
	h.ok(err)
	if n != 2 {
		h.Fatalf("replayed %d, want 2", n)
	}
	for _, l := range h.leased(2, "m1/a", "m2/a") {
		if l.Tries != 0 || l.Attempts == 0 || l.Reason != "" {
			h.Fatalf("replayed: %+v", l)
		}
	}
	if n, err = h.q.Replay(h.ctx(), retry.Filter{All: true}, "", 0); err != nil || n != 0 {
		h.Fatalf("replayed %d leased ones, %v", n, err)
	}
}

func replayElsewhere(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	h.ok(h.q.Dead(h.ctx(), h.one(), "rejected", h.attempt(406)))
	_, err := h.q.Replay(h.ctx(), retry.Filter{Reason: "rejected"}, "other", 0)
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
		{retry.Filter{Prefix: "m1/"}, []string{"m1/a", "m1/b"}},
		{retry.Filter{Prefix: "m2/a"}, []string{"m2/a"}},
		{retry.Filter{Prefix: "M1"}, nil},
		{retry.Filter{Prefix: "%"}, nil},
		{retry.Filter{MessageID: "m1"}, []string{"m1/a", "m1/b"}},
		{retry.Filter{State: retry.Due}, []string{"m1/a"}},
		{retry.Filter{State: retry.Leased}, []string{"m2/a"}},
		{retry.Filter{State: retry.Dead}, []string{"m1/b"}},
		{retry.Filter{Endpoint: "b"}, []string{"m1/b"}},
		{retry.Filter{Recipient: "M2/a@in.example"}, []string{"m2/a"}},
		{retry.Filter{Reason: "too_large"}, []string{"m1/b"}},
		{retry.Filter{Before: h.c.Now().Add(-time.Minute)}, []string{"m1/a", "m1/b"}},
		{retry.Filter{Since: h.c.Now().Add(-time.Minute)}, []string{"m2/a"}},
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

func find(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a", "ab", "b")
	for i := range 10 {
		h.put(fmt.Sprintf("n%d", i), "a")
	}
	for prefix, want := range map[string]string{"m1/a": "m1/a", "m1/b": "m1/b", "m1/ab": "m1/ab", "n3": "n3/a"} {
		i, _, err := retry.Find(h.ctx(), h.q, prefix)
		h.ok(err)
		if i.ID != want {
			h.Errorf("%s finds %s, want %s", prefix, i.ID, want)
		}
	}
	for _, prefix := range []string{"", "x", "m1/A", "n%"} {
		if _, _, err := retry.Find(h.ctx(), h.q, prefix); !errors.Is(err, retry.ErrNotFound) {
			h.Errorf("%q: %v", prefix, err)
		}
	}
	for prefix, want := range map[string]*retry.AmbiguousError{
		"m1": {Prefix: "m1", IDs: []string{"m1/a", "m1/ab", "m1/b"}},
		"n":  {Prefix: "n", IDs: []string{"n0/a", "n1/a", "n2/a", "n3/a", "n4/a"}, More: true},
	} {
		var several *retry.AmbiguousError
		if _, _, err := retry.Find(h.ctx(), h.q, prefix); !errors.As(err, &several) || several.Error() != want.Error() {
			h.Errorf("%s: %v, want %v", prefix, err, want)
		}
	}
}

func attemptsKept(h *harness) {
	h.start(Bounds{})
	h.put("m1", "a")
	for i := range 30 {
		h.ok(h.q.Retry(h.ctx(), h.one(), 0, h.attempt(500+i)))
	}
	i, as, err := h.q.Get(h.ctx(), "m1/a")
	h.ok(err)
	if i.Attempts != 30 || len(as) != 20 || as[0].N != 11 || as[19].N != 30 || as[19].Status != 529 {
		h.Fatalf("%d attempts, kept %d: %+v", i.Attempts, len(as), as)
	}
}

func breaker(h *harness) {
	h.start(Bounds{})
	h.ok(h.q.SaveBreaker(h.ctx(), "a", []byte(`{"state":"open"}`)))
	h.ok(h.q.Pause(h.ctx(), "a", 0, ""))
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
	if s.DeadOf[retry.DeadKind{Endpoint: "a", Reason: "rejected"}] != 1 || s.DeadOf[retry.DeadKind{Endpoint: "b", Reason: "rejected"}] != 1 ||
		len(s.OldestOf) != 1 || !s.OldestOf["a"].Equal(h.c.Now().Add(-time.Second)) {
		h.Fatalf("Stats = %+v", s)
	}
	replayed := h.c.Now()
	_, err = h.q.Replay(h.ctx(), retry.Filter{Endpoint: "b"}, "", 0)
	h.ok(err)
	s, err = h.q.Stats(h.ctx())
	h.ok(err)
	if !s.OldestOf["b"].Equal(replayed) {
		h.Fatalf("what was replayed waits since %v, want %v", s.OldestOf["b"], replayed)
	}
	h.ok(h.q.Health(h.ctx()))
}
