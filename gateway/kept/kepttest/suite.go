// Package kepttest holds every kept.Store to the same promises.
package kepttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"postern/gateway/kept"
	"postern/gateway/mail"
)

// Clock is a store's.
type Clock struct{ time.Time }

// Now is the time that it shows.
func (c *Clock) Now() time.Time { return c.Time }

// Record is the n-th message of a test.
func Record(n int, size int) (kept.Record, []byte) {
	body := bytes.Repeat([]byte{byte('a' + n%26)}, size)
	id := fmt.Sprintf("0m%06d", n)
	env, _ := json.Marshal(&mail.Envelope{ID: id, From: fmt.Sprintf("ann+%d@sender.example", n)})
	return kept.Record{ID: id, Key: "k" + id, Received: time.Unix(1767225600, 0).UTC(), From: fmt.Sprintf("ann+%d@sender.example", n), Subject: "Grüße", Envelope: env,
		Names: []string{fmt.Sprintf("ann+%d@sender.example", n), "sales@in.example"}, Size: int64(size)}, body
}

// Open makes an empty store that may take so many octets.
type Open func(t *testing.T, maxBytes int64, c *Clock) kept.Store

// Run holds the stores that open makes to what kept.Store promises.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){"keeps": testKeeps, "age": testAge, "bound": testBound, "forget": testForget, "forget meanwhile": testForgetMeanwhile, "short": testShort} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func clock() *Clock { return &Clock{time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)} }

func put(t *testing.T, s kept.Store, n, size int) {
	t.Helper()
	r, body := Record(n, size)
	if err := s.Put(t.Context(), r, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
}

// has reports whether the n-th message is kept.
func has(t *testing.T, s kept.Store, n int) bool {
	t.Helper()
	r, _ := Record(n, 0)
	_, body, err := s.OpenMessage(t.Context(), r.ID)
	if err == nil {
		return body.Close() == nil
	}
	if !errors.Is(err, kept.ErrNotFound) {
		t.Errorf("message %d: %v", n, err)
	}
	return false
}

// testKeeps: what comes out is what went in, whatever its size; twice is once.
func testKeeps(t *testing.T, open Open) {
	s := open(t, 0, clock())
	for n, size := range []int{0, 1, 5000, 256 << 10, 1<<20 + 7} {
		put(t, s, n, size)
		put(t, s, n, size)
		want, content := Record(n, size)
		m, body, err := s.OpenMessage(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, content) || body.Size() != int64(size) {
			t.Errorf("%d octets came back as %d: %v", size, len(got), err)
		}
		if err := errors.Join(body.Verify(), body.Close()); err != nil {
			t.Error(err)
		}
		if m.ID != want.ID || m.Key != want.Key || !m.Received.Equal(want.Received) || m.From != want.From || m.Subject != want.Subject || !bytes.Equal(m.Envelope, want.Envelope) {
			t.Errorf("%+v", m)
		}
	}
	for _, id := range []string{"", "0m", "../queue.db", "0m000000/..", "zzz"} {
		if _, _, err := s.OpenMessage(t.Context(), id); !errors.Is(err, kept.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func testAge(t *testing.T, open Open) {
	c := clock()
	s := open(t, 0, c)
	put(t, s, 1, 100)
	c.Time = c.Add(10 * time.Minute)
	put(t, s, 2, 100)
	if err := s.Prune(t.Context(), c.Add(-20*time.Minute)); err != nil || !has(t, s, 1) || !has(t, s, 2) {
		t.Errorf("pruned too much: %v", err)
	}
	if err := s.Prune(t.Context(), c.Add(-5*time.Minute)); err != nil || has(t, s, 1) || !has(t, s, 2) {
		t.Errorf("pruned wrongly: %v", err)
	}
}

// testBound: the oldest go first, and the newest stays.
func testBound(t *testing.T, open Open) {
	c := clock()
	s := open(t, 60<<10, c)
	for n := range 40 {
		put(t, s, n, 4<<10)
		c.Time = c.Add(time.Minute)
		if err := s.Prune(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	first := 0
	for first < 40 && !has(t, s, first) {
		first++
	}
	if first < 25 || first > 30 {
		t.Errorf("the oldest that is left is %d of 40, and 15 fit at most", first)
	}
	for n := first; n < 40; n++ {
		if !has(t, s, n) {
			t.Errorf("%d is gone and %d is older", n, first)
		}
	}
	r, body := Record(99, 1<<20)
	if err := s.Put(t.Context(), r, bytes.NewReader(body)); err == nil {
		t.Error("a message larger than the bound was kept")
	}
	if !has(t, s, 39) {
		t.Error("a message that doesn't fit made another go")
	}
}

func testForget(t *testing.T, open Open) {
	c := clock()
	s := open(t, 0, c)
	for n := range 5 {
		put(t, s, n, 10)
	}
	for _, who := range []struct {
		address string
		want    int
	}{{"ANN+1@sender.example", 1}, {"ann@sender.example", 0}, {"Sales@in.example", 4}} {
		if n, err := s.Names(t.Context(), who.address); err != nil || n != who.want {
			t.Errorf("%s is said to be named by %d, want %d: %v", who.address, n, who.want, err)
		}
		if n, err := s.Forget(t.Context(), who.address); err != nil || n != who.want {
			t.Errorf("forgetting %s removed %d, want %d: %v", who.address, n, who.want, err)
		}
		if n, err := s.Names(t.Context(), who.address); err != nil || n != 0 {
			t.Errorf("%s is forgotten and named by %d: %v", who.address, n, err)
		}
	}
	if has(t, s, 0) {
		t.Error("still kept")
	}
	put(t, s, 0, 10) // its webhook had it before, and it was about to be kept
	if has(t, s, 0) {
		t.Error("kept after it was forgotten")
	}
	r, body := Record(0, 10)
	r.Received = c.Add(time.Second)
	if err := s.Put(t.Context(), r, bytes.NewReader(body)); err != nil || !has(t, s, 0) {
		t.Errorf("what came afterwards isn't kept: %v", err)
	}
	c.Time = c.Add(100 * 24 * time.Hour)
	if err := s.Prune(t.Context(), c.Time); err != nil {
		t.Error(err)
	}
	put(t, s, 0, 10) // nobody sends mail so old: the note of the forgotten is gone
	if !has(t, s, 0) {
		t.Error("who was forgotten is remembered for ever")
	}
}

// testForgetMeanwhile: what is written while somebody is forgotten is gone when
// both are done.
func testForgetMeanwhile(t *testing.T, open Open) {
	c := clock()
	s := open(t, 0, c)
	r, body := Record(1, 64<<10)
	began, more := make(chan struct{}), make(chan struct{})
	put := make(chan error)
	go func() { put <- s.Put(t.Context(), r, &slow{bytes.NewReader(body), began, more}) }()
	<-began
	forgot := make(chan error)
	go func() { _, err := s.Forget(t.Context(), r.From); forgot <- err }()
	select { // a store may wait for the Put, or not
	case err := <-forgot:
		go func() { forgot <- err }()
	case <-time.After(50 * time.Millisecond):
	}
	close(more)
	if err := errors.Join(<-put, <-forgot); err != nil {
		t.Error(err)
	}
	if has(t, s, 1) {
		t.Error("kept after it was forgotten")
	}
}

// slow says when it is read first, and waits then.
type slow struct {
	r           io.Reader
	began, more chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if s.began != nil {
		close(s.began)
		s.began = nil
		<-s.more
	}
	return s.r.Read(p)
}

// testShort: a body that ends early leaves nothing.
func testShort(t *testing.T, open Open) {
	s := open(t, 0, clock())
	r, body := Record(1, 1000)
	if err := s.Put(t.Context(), r, bytes.NewReader(body[:500])); err == nil {
		t.Error("half a message was kept")
	}
	if has(t, s, 1) {
		t.Error("half a message is there")
	}
	put(t, s, 1, 1000)
	if !has(t, s, 1) {
		t.Error("the whole one isn't")
	}
}
