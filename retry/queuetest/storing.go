package queuetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"postern/retry"
)

// What is stored, refused and kept.

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
	m := retry.Message{ID: "m", Received: h.c.Now(), Life: time.Hour, Body: ref}
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
	h.ok(h.q.Keep(h.ctx(), h.message("m1", 70<<10), time.Hour))
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
	h.ok(h.q.Drop(h.ctx(), "m1"))
	_, _, err = h.q.OpenMessage(h.ctx(), "m1")
	h.want(err, retry.ErrNotFound)
	h.ok(h.q.Drop(h.ctx(), "m1"))
	h.empty()
	h.ok(h.q.Keep(h.ctx(), h.message("m2", 100), time.Hour))
	if s, ok := h.q.(interface{ Tidy() }); ok {
		h.c.Advance(time.Hour)
		s.Tidy()
		h.empty()
	}
}

func dedup(h *harness) {
	h.start(Bounds{})
	taken := func(key string, want ...string) {
		h.Helper()
		got, err := h.q.Delivered(h.ctx(), key)
		h.ok(err)
		if !slices.Equal(got, want) {
			h.Fatalf("Taken(%s) = %v, want %v", key, got, want)
		}
	}
	taken("k")
	h.ok(h.q.Remember(h.ctx(), "k", []string{"x", "y"}, time.Hour))
	h.ok(h.q.Remember(h.ctx(), "k", []string{"y", "z"}, time.Hour))
	taken("k", "x", "y", "z")
	taken("other")
	h.ok(h.q.Forget(h.ctx(), "k"))
	h.ok(h.q.Forget(h.ctx(), "k"))
	taken("k")
	h.ok(h.q.Remember(h.ctx(), "k", []string{"x"}, time.Hour))
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
	for _, value := range []string{"one\x00", "two"} {
		v, err = h.q.PutMeta(h.ctx(), "key", []byte(value))
		h.ok(err)
		if string(v) != "one\x00" {
			h.Fatalf("PutMeta(%q) = %q", value, v)
		}
	}
	v, err = h.q.Meta(h.ctx(), "key")
	h.ok(err)
	if string(v) != "one\x00" {
		h.Fatalf("Meta = %q", v)
	}
}

// metaAtOnce has many put a value of their own at once: all get the same.
func metaAtOnce(h *harness) {
	h.start(Bounds{})
	const many = 16
	got := make([]string, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			v, err := h.q.PutMeta(h.ctx(), "key", fmt.Append(nil, "value ", i))
			if err != nil {
				h.Error(err)
			}
			got[i] = string(v)
		})
	}
	wg.Wait()
	if got[0] == "" || len(slices.Compact(got)) != 1 {
		h.Fatalf("values of one key: %q", got)
	}
}
