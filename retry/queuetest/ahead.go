package queuetest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"postern/retry"
)

// Leases of new deliveries, which an engine may give as it stores them: the worker
// that allows it sees the same mail, once, as if it had come to it later.

// request leases as a worker does.
func (h *harness) request(r retry.LeaseRequest, want ...string) []retry.Lease {
	h.Helper()
	r.TTL = time.Minute
	if r.Max == 0 {
		r.Max = 100
	}
	ls, err := h.q.Lease(h.ctx(), r)
	h.ok(err)
	got := ids(ls)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.Fatalf("leased %v, want %v", got, want)
	}
	return ls
}

func ahead(h *harness) {
	h.start(Bounds{})
	h.put("m0", "b") // else nothing is stored, and who looks may not look
	h.request(retry.LeaseRequest{Ahead: true}, "m0/b")
	h.put("m1", "a")
	early := h.request(retry.LeaseRequest{Ahead: true}, "m1/a")[0]
	h.request(retry.LeaseRequest{Ahead: true}) // once
	if got := h.read(early.Body); string(got) != string(content("m1", 100)) {
		h.Fatalf("body = %q", got)
	}
	h.ok(h.q.Release(h.ctx(), early, retry.Attempt{}))
	late := h.request(retry.LeaseRequest{}, "m1/a")[0]
	if early.Token == late.Token {
		h.Fatal("two leases have one token")
	}
	for _, l := range []*retry.Lease{&early, &late} {
		l.Token, l.Body.ID, l.Body.Inline = 0, "", nil
	}
	if !reflect.DeepEqual(early, late) {
		h.Fatalf("leased as it was stored: %+v\nleased later: %+v", early, late)
	}
	h.put("m2", "a") // the last request allowed nothing
	h.state("m2/a", retry.Due)
	h.leased(9, "m2/a")
	h.request(retry.LeaseRequest{Ahead: true})
	h.put("m3", "a")
	h.c.Advance(2 * time.Minute) // its worker didn't come
	h.leased(9, "m0/b", "m1/a", "m2/a", "m3/a")
}

func aheadWithinRoom(h *harness) {
	h.start(Bounds{})
	room := map[string]int{"a": 2, "b": 0, "c": 9, "d": 9}
	r := retry.LeaseRequest{Max: 6, Octets: 450, Ahead: true, Room: func(e string) int { return room[e] }}
	h.request(r)
	for i := range 4 {
		h.put(fmt.Sprint("m", i), "a", "b", "c")
	}
	for _, want := range []int{5, 3} { // what is leased ahead is no more than what is leased
		ls, err := h.q.Lease(h.ctx(), retry.LeaseRequest{Max: r.Max, Octets: r.Octets, TTL: time.Minute, Room: r.Room})
		h.ok(err)
		n := map[string]int{}
		for _, l := range ls {
			n[l.Endpoint]++
			h.ok(h.q.Ack(h.ctx(), l, h.attempt(200)))
		}
		if len(ls) != want || n["a"] != 2 || n["b"] > 0 {
			h.Fatalf("leased %v within room %v, 6 at most, of 100 octets each until 450", n, room)
		}
	}
}

// aheadOfNobody: neither a pause nor older mail is overtaken.
func aheadOfNobody(h *harness) {
	h.start(Bounds{})
	h.put("old0", "a")
	h.put("old1", "a")
	h.put("other", "b")
	one := func(string) int { return 1 }
	h.request(retry.LeaseRequest{Ahead: true, Room: one}, "old0/a", "other/b")
	h.c.Advance(time.Millisecond)
	h.put("new", "a")
	h.request(retry.LeaseRequest{Ahead: true, Room: one}, "old1/a")
	h.request(retry.LeaseRequest{Ahead: true}, "new/a")
	h.ok(h.q.Pause(h.ctx(), "b", time.Hour, "deploy"))
	h.put("paused", "a", "b")
	h.request(retry.LeaseRequest{Ahead: true}, "paused/a")
	h.put("paused2", "b")
	h.request(retry.LeaseRequest{Ahead: true})
	h.ok(h.q.Resume(h.ctx(), "b"))
	h.request(retry.LeaseRequest{Ahead: true}, "paused/b", "paused2/b")
}

// aheadStopped: what was leased for a worker that ended is due, and so is what comes
// after it, until one asks again.
func aheadStopped(h *harness) {
	h.start(Bounds{})
	h.request(retry.LeaseRequest{Ahead: true})
	h.put("m0", "a")
	h.q.StopAhead(h.ctx())
	h.state("m0/a", retry.Due)
	h.put("m1", "a")
	h.state("m1/a", retry.Due)
	for _, l := range h.request(retry.LeaseRequest{Ahead: true}, "m0/a", "m1/a") {
		if l.Lapsed {
			h.Fatalf("lapsed: %+v", l)
		}
	}
	h.put("m2", "a")
	h.request(retry.LeaseRequest{}, "m2/a")
}
