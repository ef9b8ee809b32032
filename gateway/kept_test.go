package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// keeper notes which mail is kept, by its Message-ID, and how.
type keeper struct {
	mu   sync.Mutex
	kept []string
	held []io.ReadCloser // of the large ones
}

func (k *keeper) note(how string, env *mail.Envelope, head *mail.Message, data mail.Source) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if env == nil || head == nil || data == nil {
		how = "without the message"
	}
	k.kept = append(k.kept, how+" "+head.MessageID)
}

// Keep implements gateway.Keeper.
func (k *keeper) Keep(env *mail.Envelope, head *mail.Message, data mail.Source) {
	k.note("kept", env, head, data)
	if _, small := data.(mail.Bytes); !small {
		r, _ := data.Open()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.held = append(k.held, r)
	}
}

func (k *keeper) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.kept)
}

// TestKeep: mail that a webhook has is kept, at once or when it comes out of the
// queue; mail that stays with its sender, or waits, is not.
func TestKeep(t *testing.T) {
	k := &keeper{}
	s := setting{keeper: k, worker: true}
	s.gateway.Policy = retry.Policy{First: 50 * time.Millisecond, Factor: 1, MaxDelay: 50 * time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, s)
	c := h.dial(h.addr, "EHLO")
	c.send("MAIL", "one@a.example", "x@in.example")
	h.answers(status(http.StatusNotAcceptable))
	c.send("MAIL", "refused@a.example", "x@in.example")
	if got := k.all(); !slices.Equal(got, []string{"kept one@a.example"}) {
		t.Errorf("kept: %q", got)
	}
	h.answers(status(http.StatusServiceUnavailable))
	c.send("MAIL", "two@a.example", "x@in.example")
	h.waitFor(2) // the second one is out of the queue
	if got := k.all(); len(got) != 1 {
		t.Errorf("what waits is kept: %q", got)
	}
	h.answers(nil)
	for end := time.Now().Add(time.Minute); len(h.waiting()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still waits")
		}
	}
	if got := k.all(); !slices.Equal(got, []string{"kept one@a.example", "kept two@a.example"}) {
		t.Errorf("kept: %q", got)
	}
}

// TestKeepLargeQueued: a keeper that hasn't read a large message yet doesn't
// delay its settlement, and reads it when the queue has let go of it.
func TestKeepLargeQueued(t *testing.T) {
	k := &keeper{}
	s := setting{keeper: k, worker: true}
	s.gateway.Policy = retry.Policy{First: 50 * time.Millisecond, Factor: 1, MaxDelay: 50 * time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, s)
	n := 0
	h.answers(func(w http.ResponseWriter, _ post) {
		if n++; n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	const line = "All work and no play makes Jack a dull boy.\r\n"
	data := "Message-ID: <large@a.example>\r\n\r\n" + strings.Repeat(line, 600<<10/len(line))
	c := h.dial(h.addr, "EHLO")
	c.say("MAIL FROM:<s@client.example>", 250)
	c.say("RCPT TO:<x@in.example>", 250)
	c.say("DATA", 354)
	c.say(data+".", 250)
	h.waitFor(2)
	for end := time.Now().Add(time.Minute); len(h.waiting()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still waits")
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.held) != 1 {
		t.Fatalf("%d are held", len(k.held))
	}
	if got, err := io.ReadAll(k.held[0]); err != nil || string(got) != data {
		t.Errorf("%d octets of %d, %v", len(got), len(data), err)
	}
	if err := k.held[0].Close(); err != nil {
		t.Error(err)
	}
}

// records keeps the records of transactions.
type records struct {
	mu       sync.Mutex
	all      []history.Record
	attempts []string // of what was queued
}

// Transaction implements gateway.History.
func (r *records) Transaction(t history.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, t)
}

// Attempt implements gateway.History.
func (r *records) Attempt(a history.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts = append(r.attempts, fmt.Sprintf("%d %s %v %d %s", a.N, a.Endpoint, a.Queued, a.Status, a.Settles))
}

// TestQueuedAttempts: what was attempted out of the queue is told, and what it ended.
func TestQueuedAttempts(t *testing.T) {
	r := &records{}
	s := setting{history: r, worker: true}
	s.gateway.Policy = retry.Policy{First: 50 * time.Millisecond, Factor: 1, MaxDelay: 50 * time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, s)
	n := 0
	h.answers(func(w http.ResponseWriter, _ post) {
		if n++; n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	h.dial(h.addr, "EHLO").send("MAIL", "one@a.example", "x@in.example")
	h.waitFor(3)
	h.stop()
	if want := []string{"2 default true 503 ", "3 default true 200 done"}; !slices.Equal(r.attempts, want) {
		t.Errorf("%q, want %q", r.attempts, want)
	}
}

// TestRepeats: a mail that the queue has already and that its sender gives once
// more is one that waits, told with the first.
func TestRepeats(t *testing.T) {
	r := &records{}
	h := newHarness(t, setting{history: r})
	h.answers(status(http.StatusServiceUnavailable))
	k := h.dial(h.addr, "EHLO")
	for range 2 {
		k.send("MAIL", "same@a.example", "x@in.example")
	}
	k.send("MAIL", "other@a.example", "x@in.example")
	k.say("NOOP", 250) // the last transaction has ended
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) != 3 || r.all[0].Waiting != 1 || r.all[0].Repeats != "" || r.all[1].Waiting != 0 || r.all[1].Repeats != r.all[0].ID || r.all[2].Waiting != 1 || r.all[2].Repeats != "" {
		t.Errorf("%+v", r.all)
	}
	if w := h.waiting(); len(w) != 2 {
		t.Errorf("%d wait", len(w))
	}
}

// forgetful is a queue that can't tell of what it holds.
type forgetful struct{ gateway.Queue }

// Get implements gateway.Queue.
func (forgetful) Get(context.Context, string) (retry.Info, []retry.PastAttempt, error) {
	return retry.Info{MessageID: "another"}, nil, errBroken
}

// TestRepeatsInPart: of a mail that comes again with one recipient more, that one's
// delivery is its own, wherever it stands; and what the queue can't tell of counts
// as the mail's own.
func TestRepeatsInPart(t *testing.T) {
	for name, c := range map[string]struct {
		first, again []string
		wrap         func(gateway.Queue) gateway.Queue
		waiting      int
		repeats      bool
	}{
		"its own comes first": {[]string{"b@in.example"}, []string{"a@in.example", "b@in.example"}, nil, 1, true},
		"its own comes last":  {[]string{"a@in.example"}, []string{"a@in.example", "b@in.example"}, nil, 1, true},
		"nobody can tell":     {[]string{"a@in.example"}, []string{"a@in.example"}, func(q gateway.Queue) gateway.Queue { return forgetful{q} }, 1, false},
	} {
		r := &records{}
		h := newHarness(t, setting{history: r, wrap: c.wrap, endpoints: []webhook.Config{
			{Name: "a", Match: []string{"a@in.example"}, Defer: true}, {Name: "b", Match: []string{"b@in.example"}, Defer: true},
		}})
		h.answers(status(http.StatusServiceUnavailable))
		k := h.dial(h.addr, "EHLO")
		k.send("MAIL", "same@a.example", c.first...)
		k.send("MAIL", "same@a.example", c.again...)
		k.say("NOOP", 250) // the last transaction has ended
		r.mu.Lock()
		if len(r.all) != 2 || r.all[1].Waiting != c.waiting || r.all[1].Dead != 0 || (r.all[1].Repeats == r.all[0].ID) != c.repeats || !c.repeats && r.all[1].Repeats != "" {
			t.Errorf("%s: %+v", name, r.all)
		}
		r.mu.Unlock()
		if w := h.waiting(); len(w) != len(c.again) {
			t.Errorf("%s: %d wait", name, len(w))
		}
	}
}

// askedQueue counts who asks it for what it holds.
type askedQueue struct {
	gateway.Queue
	asked atomic.Int64
}

// Get implements gateway.Queue.
func (q *askedQueue) Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	q.asked.Add(1)
	return q.Queue.Get(ctx, id)
}

// TestOnlyRepeatsAreLookedUp: mail that came once costs the queue no look.
func TestOnlyRepeatsAreLookedUp(t *testing.T) {
	q := &askedQueue{}
	h := newHarness(t, setting{wrap: func(inner gateway.Queue) gateway.Queue { q.Queue = inner; return q }})
	h.answers(status(http.StatusServiceUnavailable))
	k := h.dial(h.addr, "EHLO")
	for i, want := range []int64{0, 1} {
		k.send("MAIL", "same@a.example", "x@in.example")
		if got := q.asked.Load(); got != want {
			t.Errorf("after try %d the queue was asked %d times, want %d", i+1, got, want)
		}
	}
}

var (
	_ gateway.Keeper  = (*keeper)(nil)
	_ gateway.History = (*records)(nil)
)
