// Package queuetest is the suite that every retry.Queue must pass: directed
// tests of each promise, and random operations held against a model in memory.
package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/retry"
)

// Bounds are the limits of a queue under test; zero fields are unlimited.
type Bounds struct{ Bytes, Messages int64 }

// Factory opens a new, empty queue that reads the clock given and checks no
// free disk. The test closes it.
type Factory func(t *testing.T, c *Clock, b Bounds) retry.Queue

// Run runs the whole suite.
func Run(t *testing.T, open Factory) {
	for _, c := range []struct {
		name string
		run  func(*harness)
	}{
		{"Lifecycle", lifecycle},
		{"RetryKeepsDueAndCount", retryKeepsDueAndCount},
		{"Postponed", postponed},
		{"LeaseExpires", leaseExpires},
		{"ShortLives", shortLives},
		{"StaleToken", staleToken},
		{"LateOutcome", lateOutcome},
		{"Extend", extend},
		{"Lapsed", lapsed},
		{"LapsedAtItsEnd", lapsedAtItsEnd},
		{"LostAtItsEnd", lostAtItsEnd},
		{"Release", release},
		{"LeaseID", leaseID},
		{"Dedupe", dedupe},
		{"DeadAtOnceAndRevived", deadAtOnceAndRevived},
		{"Expired", expired},
		{"Fair", fair},
		{"Room", room},
		{"Octets", leaseOctets},
		{"Ahead", ahead},
		{"AheadWithinRoom", aheadWithinRoom},
		{"AheadOfNobody", aheadOfNobody},
		{"AheadStopped", aheadStopped},
		{"Resumes", resumes},
		{"Pause", pause},
		{"Split", split},
		{"RetryNow", retryNow},
		{"Replay", replay},
		{"ReplayElsewhere", replayElsewhere},
		{"DeleteRefusesLeased", deleteRefusesLeased},
		{"ListPages", listPages},
		{"Filters", filters},
		{"Find", find},
		{"AttemptsKept", attemptsKept},
		{"BoundsOfBytes", boundsOfBytes},
		{"BoundsOfMessages", boundsOfMessages},
		{"DeadShare", deadShare},
		{"LargeBody", largeBody},
		{"Keep", keep},
		{"Dedup", dedup},
		{"Meta", meta},
		{"MetaAtOnce", metaAtOnce},
		{"Breaker", breaker},
		{"Stats", stats},
		{"Waiting", waiting},
		{"NextDue", nextDue},
		{"Notify", notify},
		{"ClockBackTwoHours", clockBack(2 * time.Hour)},
		{"ClockBackADay", clockBack(24 * time.Hour)},
		{"Concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := NewClock()
			h := &harness{T: t, open: open, c: clock}
			c.run(h)
		})
	}
	t.Run("Model", func(t *testing.T) { model(t, open) })
}

// harness holds the queue under test and fails the test on any error.
type harness struct {
	*testing.T
	open Factory
	c    *Clock
	q    retry.Queue
}

func (h *harness) start(b Bounds) {
	h.Helper()
	h.q = h.open(h.T, h.c, b)
	h.Cleanup(func() {
		if err := h.q.Close(); err != nil {
			h.Errorf("Close: %v", err)
		}
	})
}

func (h *harness) ctx() context.Context { return h.Context() }

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) want(err, sentinel error) {
	h.Helper()
	if !errors.Is(err, sentinel) {
		h.Fatalf("error = %v, want %v", err, sentinel)
	}
}

// body is a message's bytes.
type body []byte

func (b body) Open() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(b)}, nil }
func (b body) Size() int64                      { return int64(len(b)) }

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// content is a body of n bytes that differs from others.
func content(seed string, n int) body {
	return body(strings.Repeat("line of "+seed+"\r\n", n/10+1)[:n])
}

// message stages a body of size bytes and returns its message.
func (h *harness) message(id string, size int) retry.Message {
	h.Helper()
	ref, err := h.q.Stage(h.ctx(), nil, content(id, size))
	h.ok(err)
	now := h.c.Now()
	return retry.Message{ID: id, Key: "key-" + id, Received: now, Life: 72 * time.Hour, From: id + "@sender.example",
		Subject: "subject of " + id, Envelope: []byte(`{"v":1,"id":"` + id + `"}`), Body: ref}
}

func (h *harness) delivery(id, endpoint string) retry.NewDelivery {
	return retry.NewDelivery{ID: id, Endpoint: endpoint, Recipients: []string{id + "@in.example"}}
}

// put enqueues a message with one delivery per endpoint: ids are id/endpoint.
func (h *harness) put(id string, endpoints ...string) {
	h.Helper()
	m := h.message(id, 100)
	var ds []retry.NewDelivery
	for _, e := range endpoints {
		ds = append(ds, h.delivery(id+"/"+e, e))
	}
	r, err := h.q.Enqueue(h.ctx(), m, ds)
	h.ok(err)
	if r.Stored != len(ds) {
		h.Fatalf("Enqueue stored %d of %d", r.Stored, len(ds))
	}
}

func (h *harness) lease(n int) []retry.Lease {
	h.Helper()
	ls, err := h.q.Lease(h.ctx(), retry.LeaseRequest{Max: n, TTL: time.Minute})
	h.ok(err)
	return ls
}

// one leases exactly one delivery.
func (h *harness) one() retry.Lease {
	h.Helper()
	ls := h.lease(1)
	if len(ls) != 1 {
		h.Fatalf("leased %d, want 1", len(ls))
	}
	return ls[0]
}

func (h *harness) leased(n int, want ...string) []retry.Lease {
	h.Helper()
	ls := h.lease(n)
	got := ids(ls)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.Fatalf("leased %v, want %v", got, want)
	}
	return ls
}

func ids(ls []retry.Lease) []string {
	out := []string{}
	for _, l := range ls {
		out = append(out, l.ID)
	}
	return out
}

func (h *harness) stateOf(id string) retry.State {
	h.Helper()
	i, _, err := h.q.Get(h.ctx(), id)
	h.ok(err)
	return i.State
}

func (h *harness) state(id string, want retry.State) retry.Info {
	h.Helper()
	i, _, err := h.q.Get(h.ctx(), id)
	h.ok(err)
	if i.State != want {
		h.Fatalf("%s is %s, want %s", id, i.State, want)
	}
	return i
}

func (h *harness) attempt(status int) retry.Attempt {
	return retry.Attempt{At: h.c.Now(), Status: status, Took: time.Second, Reason: "unavailable", Error: fmt.Sprintf("status %d", status)}
}

// read returns a lease's body, verified.
func (h *harness) read(ref retry.BodyRef) []byte {
	h.Helper()
	b, err := h.q.Open(h.ctx(), ref)
	h.ok(err)
	defer b.Close()
	h.ok(b.Verify())
	data, err := io.ReadAll(b)
	h.ok(err)
	return data
}

// empty checks that nothing is stored any more.
func (h *harness) empty() {
	h.Helper()
	s, err := h.q.Stats(h.ctx())
	h.ok(err)
	if s.Bytes != 0 || s.Messages != 0 {
		h.Fatalf("%d bytes and %d messages are left", s.Bytes, s.Messages)
	}
	list, _, err := h.q.List(h.ctx(), retry.Filter{}, retry.Page{})
	h.ok(err)
	if len(list) != 0 {
		h.Fatalf("%d deliveries are left", len(list))
	}
}
