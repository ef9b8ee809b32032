package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/webhook"
)

// While a webhook thinks, nothing of what the message says is kept, whether its
// body went in one piece or was rendered while it was sent.
func TestTextIsLetGoWhileTheWebhookThinks(t *testing.T) {
	for _, size := range []int{10, 100 << 10, 2 << 20} {
		memory := budget.New(64 << 20)
		asked, answer := make(chan struct{}), make(chan struct{})
		b := newBench(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-answer }, Deps{Memory: memory})
		m := textMail(size)
		b.must(b.Open(t.Context(), m))
		if memory.Stats().Taken < int64(size) {
			t.Errorf("%d octets: only %d are booked while the message is at hand", size, memory.Stats().Taken)
		}
		d := b.fresh(m)
		ended := make(chan struct{})
		go func() { defer close(ended); b.DeliverAll(t.Context(), []*Delivery{d}) }()
		<-asked
		eventually(t, func() bool { return memory.Stats().Taken == 0 })
		m.mu.Lock()
		if m.parsed != nil || m.src != nil || m.Head.Subject != "hello" {
			t.Errorf("%d octets: the text is kept, or the head isn't", size)
		}
		m.mu.Unlock()
		close(answer)
		<-ended
		if d.Outcome.Result != webhook.Delivered || !strings.Contains(string(b.bodies[0]), strings.Repeat("x", size)) {
			t.Errorf("%d octets: %+v", size, d.Outcome)
		}
		m.Release()
		if s := memory.Stats(); s.Taken != 0 || s.Held != 0 {
			t.Errorf("%d octets: not all was given back: %+v", size, s)
		}
	}
}

// A kept connection that breaks after it took the whole request costs the
// endpoint nothing, although the text is gone by then.
func TestKeptConnectionBreaksAfterTheRequest(t *testing.T) {
	for _, size := range []int{10, 1 << 20} {
		n := 0
		b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
			if n++; n == 2 {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					conn.Close()
				}
			}
		}, Deps{Memory: budget.New(64 << 20)})
		for range 2 {
			d := b.fresh(textMail(size))
			if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered {
				t.Errorf("%d octets: %+v", size, d.Outcome)
			}
		}
		if b.posts() != 3 {
			t.Errorf("%d octets: %d posts", size, b.posts())
		}
		if first, last := len(b.bodies[1]), len(b.bodies[2]); first != last {
			t.Errorf("%d octets: first %d, then %d were sent", size, first, last)
		}
	}
}

// Without memory the endpoint isn't asked, and nobody says it is to blame.
func TestNoMemory(t *testing.T) {
	memory := budget.New(1 << 20)
	b := newBench(t, nil, Deps{Memory: memory})
	all, err := memory.Take(t.Context(), 1<<30)
	b.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d := b.fresh(textMail(300 << 10))
	if b.Deliver(ctx, d); d.Outcome.Reason != webhook.ReasonMemory || Asked(d.Outcome) || b.posts() != 0 {
		t.Errorf("%+v after %d posts", d.Outcome, b.posts())
	}
	if err := b.Open(ctx, textMail(300<<10)); !errors.Is(err, budget.ErrShort) {
		t.Errorf("opened: %v", err)
	}
	all.Release()
	if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered || memory.Stats().Taken != 0 {
		t.Errorf("with memory: %+v, %+v", d.Outcome, memory.Stats())
	}
}

// Mail of the queue may wait for memory longer than a sender does.
func TestMemoryWait(t *testing.T) {
	for origin, want := range map[Origin]time.Duration{Fresh: 15 * time.Second, Queued: 5 * time.Minute} {
		if got := memoryWait(origin); got != want {
			t.Errorf("origin %d: %v, want %v", origin, got, want)
		}
	}
}

// Who traces hears how parsing ended.
func TestParsingIsAStep(t *testing.T) {
	var steps []string
	step := func(ctx context.Context, name string) (context.Context, func(error)) {
		return ctx, func(err error) { steps = append(steps, fmt.Sprint(name, " failed: ", err != nil)) }
	}
	b := newBench(t, nil, Deps{Step: step})
	b.opened(textMail(10)).Release()
	lost := NewMail(textMail(10).Envelope, func() mail.Source { return gone{} })
	if err := b.Open(t.Context(), lost); err == nil {
		t.Error("what can't be read is open")
	}
	if want := []string{"parse failed: false", "parse failed: true"}; !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
}

// Who waits for a slot holds no memory: those who have one may need it.
func TestWaitingForASlotHoldsNothing(t *testing.T) {
	memory := budget.New(64 << 20)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	b := newBench(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-answer }, Deps{Memory: memory},
		webhook.Config{Name: "main", Concurrency: 1, Defer: true})
	ended := make(chan *Delivery, 2)
	deliver := func() {
		m := textMail(1 << 20)
		b.must(b.Open(t.Context(), m))
		ds := []*Delivery{b.fresh(m)}
		go func() { b.DeliverAll(t.Context(), ds); ended <- ds[0] }()
	}
	deliver()
	<-asked
	deliver()
	eventually(t, func() bool { return memory.Stats().Taken == 0 })
	close(answer)
	for range 2 {
		if d := <-ended; d.Outcome.Result != webhook.Delivered {
			t.Errorf("%+v", d.Outcome)
		}
	}
	if memory.Stats().Taken != 0 {
		t.Errorf("not all was given back: %+v", memory.Stats())
	}
}

// eventually waits for what other goroutines are about to do.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
	}
}

// Small mail waits for no place at a processor; with all of them taken it goes on,
// and larger mail waits.
func TestPlacesAtProcessors(t *testing.T) {
	p := budget.NewProcessors(2, nil)
	b := newBench(t, nil, Deps{Processors: p})
	_ = p.Enter(t.Context())
	_ = p.Enter(t.Context())
	ended := make(chan string, 3)
	head := int(textMail(0).raw().Size())
	for name, octets := range map[string]int{"small": smallMail, "middling": smallMail + 1, "large": largeMail + 1} {
		d := b.fresh(textMail(octets - head))
		go func() { b.Deliver(context.Background(), d); ended <- name }()
	}
	select {
	case name := <-ended:
		if name != "small" {
			t.Errorf("%s mail went first", name)
		}
	case <-time.After(20 * time.Second):
		t.Error("small mail waits for large mail")
	}
	p.Leave()
	p.Leave()
	if a, b := <-ended, <-ended; a == b {
		t.Errorf("then %s and %s mail", a, b)
	}
}

// Larger mail that finds no place at a processor in time isn't read, and the endpoint
// isn't to blame.
func TestNoPlaceAtAProcessor(t *testing.T) {
	for _, octets := range []int{smallMail + 1, largeMail + 1} {
		p, memory := budget.NewProcessors(2, nil), budget.New(64<<20)
		b := newBench(t, nil, Deps{Processors: p, Memory: memory})
		_, _ = p.Enter(t.Context()), p.Enter(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Open(ctx, textMail(octets)); !errors.Is(err, ErrNoMemory) || !errors.Is(err, context.Canceled) {
			t.Errorf("%d octets, opened: %v", octets, err)
		}
		d := b.fresh(textMail(octets))
		if b.Deliver(ctx, d); d.Outcome.Reason != webhook.ReasonMemory || Asked(d.Outcome) || b.posts() != 0 {
			t.Errorf("%d octets: %+v after %d posts", octets, d.Outcome, b.posts())
		}
		if s := memory.Stats(); s.Taken != 0 {
			t.Errorf("%d octets: not all was given back: %+v", octets, s)
		}
		p.Leave()
		p.Leave()
	}
}
