package dispatch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"postern/webhook"
)

// taker waits for a slot on a goroutine of its own.
type taker struct {
	got chan struct{}
	err error
}

func take(s *slots, ctx context.Context, o Origin) *taker {
	k := &taker{got: make(chan struct{})}
	go func() {
		defer close(k.got)
		k.err = s.acquire(ctx, o, func() {})
	}()
	synctest.Wait()
	return k
}

func (k *taker) has() bool {
	synctest.Wait()
	select {
	case <-k.got:
		return k.err == nil
	default:
		return false
	}
}

// Fresh mail goes first, queued mail leaves it a slot, and neither waits for ever.
func TestSlotsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(bounds{3, 3})
		ctx := t.Context()
		q1, q2, q3 := take(s, ctx, Queued), take(s, ctx, Queued), take(s, ctx, Queued)
		if !q1.has() || !q2.has() || q3.has() {
			t.Fatal("queued mail takes all slots but one")
		}
		f1, f2, f3 := take(s, ctx, Fresh), take(s, ctx, Fresh), take(s, ctx, Fresh)
		if !f1.has() || f2.has() {
			t.Fatal("the last slot is fresh mail's")
		}
		if s.share() != 1 {
			t.Errorf("a share of %d while fresh mail waits", s.share())
		}
		s.release(Queued)
		if !f2.has() || q3.has() {
			t.Error("fresh mail is next, though queued mail waits longer")
		}
		s.release(Queued)
		if !q3.has() || f3.has() {
			t.Error("queued mail that has no slot gets the next one")
		}
		s.release(Queued)
		if !f3.has() {
			t.Error("fresh mail is next")
		}
		for range 3 {
			s.release(Fresh)
		}
		if s.busy != [2]int{} || s.share() != 2 {
			t.Errorf("busy %v, share %d at the end", s.busy, s.share())
		}
	})
}

// One slot serves both: fresh mail first.
func TestSlotsOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(bounds{1, 1})
		first, queued, fresh := take(s, t.Context(), Queued), take(s, t.Context(), Queued), take(s, t.Context(), Fresh)
		if !first.has() || queued.has() || fresh.has() || s.share() != 1 {
			t.Fatal("one slot, one holder")
		}
		s.release(Queued)
		if !fresh.has() || queued.has() {
			t.Error("fresh mail is next")
		}
		s.release(Fresh)
		if !queued.has() {
			t.Error("then queued mail")
		}
	})
}

// Of two slots one is queued mail's as soon as it comes free, however much fresh
// mail waits.
func TestSlotsOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(bounds{2, 2})
		take(s, t.Context(), Fresh)
		take(s, t.Context(), Fresh)
		fresh, queued := take(s, t.Context(), Fresh), take(s, t.Context(), Queued)
		s.release(Fresh)
		if !queued.has() || fresh.has() {
			t.Error("a stream of fresh mail holds the queue up")
		}
		s.release(Fresh)
		if !fresh.has() {
			t.Error("then fresh mail")
		}
	})
}

// Who gives up waiting leaves no trace, even where its turn came just then.
func TestSlotsGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(bounds{1, 1})
		holder := take(s, t.Context(), Fresh)
		ctx, cancel := context.WithCancel(t.Context())
		quitter, next := take(s, ctx, Fresh), take(s, t.Context(), Queued)
		cancel()
		if quitter.has() || quitter.err == nil || !holder.has() {
			t.Error("who gave up has a slot")
		}
		s.release(Fresh)
		if !next.has() {
			t.Error("the next one waits for who gave up")
		}
		s.release(Queued)
		if s.busy != [2]int{} || s.waiting[Fresh].Len()+s.waiting[Queued].Len() > 0 {
			t.Errorf("busy %v at the end", s.busy)
		}
	})
}

// What a scrape reads is what the slots have.
func TestLoads(t *testing.T) {
	b := newBench(t, nil, Deps{}, webhook.Config{Name: "main", Concurrency: 2})
	s := b.slots[b.deps.Router.Endpoints()[0]]
	if err := errors.Join(s.acquire(t.Context(), Fresh, nil), s.acquire(t.Context(), Queued, nil)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits, ended := make(chan struct{}), make(chan error)
	go func() { ended <- s.acquire(ctx, Queued, func() { close(waits) }) }()
	<-waits
	want := Load{Endpoint: "main", Slots: 2, Busy: [2]int{1, 1}, Waiting: [2]int{0, 1}}
	if got := b.Loads(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	cancel()
	<-ended
	s.release(Fresh)
	s.release(Queued)
	if got := b.Loads()[0]; got.Busy != [2]int{} || got.Waiting != [2]int{} {
		t.Errorf("at rest: %+v", got)
	}
}

// TestShareOfTheQueued: queued mail leaves one slot to fresh mail, where there is
// more than one.
func TestShareOfTheQueued(t *testing.T) {
	for slots, queued := range map[int]int{1: 1, 2: 1, 3: 2, 10: 9} {
		s, n := newSlots(bounds{slots, slots}), 0
		for s.free(Queued) {
			s.take(Queued)
			n++
		}
		if n != queued || s.free(Fresh) != (slots > 1) {
			t.Errorf("of %d slots queued mail takes %d, and fresh mail finds one: %v", slots, n, s.free(Fresh))
		}
	}
}
