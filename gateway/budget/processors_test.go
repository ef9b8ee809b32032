package budget

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// However much large mail is worked on, whole mails never have all places, a
// piece of work finds one, and no more work is under way than there are
// processors.
func TestPlaces(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			var full atomic.Int32
			p := NewProcessors(n, func() { full.Add(1) })
			places := max(n, 2)
			end := make(chan struct{})
			var whole, pieces atomic.Int32
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { _ = p.Whole(t.Context(), func() { whole.Add(1); <-end }) })
			}
			synctest.Wait()
			if got := int(whole.Load()); got != places-1 || full.Load() != 0 {
				t.Errorf("of %d processors whole mails have %d; full was told %d times", n, got, full.Load())
			}
			for range 20 {
				wg.Go(func() {
					_ = p.Enter(t.Context())
					pieces.Add(1)
					<-end
					p.Leave()
				})
			}
			synctest.Wait()
			if got := int(pieces.Load()); got != 1 || full.Load() == 0 {
				t.Errorf("of %d processors pieces have %d; full was told %d times", n, got, full.Load())
			}
			close(end)
			wg.Wait()
			if whole.Load() != 20 || pieces.Load() != 20 || len(p.all) != 0 || len(p.whole) != 0 {
				t.Errorf("at the end: %d whole mails, %d pieces, %d places taken", whole.Load(), pieces.Load(), len(p.all))
			}
		})
	}
}

// A place comes back even where the work panics.
func TestPlaceAfterPanic(t *testing.T) {
	p := NewProcessors(2, nil)
	func() {
		defer func() { recover() }()
		_ = p.Whole(t.Context(), func() { panic("a parser's fault") })
	}()
	if len(p.all) != 0 || len(p.whole) != 0 {
		t.Errorf("%d and %d places are still taken", len(p.all), len(p.whole))
	}
}

// Nil is no bound.
func TestNoProcessors(t *testing.T) {
	var p *Processors
	done := false
	_ = p.Enter(t.Context())
	_ = p.Whole(t.Context(), func() { done = true })
	p.Leave()
	if !done {
		t.Error("the work was not done")
	}
}

// Who waits for a place waits no longer than its context lives, and leaves none
// taken behind.
func TestPlaceInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProcessors(2, nil)
		_ = p.Enter(t.Context())
		why := errors.New("the server ends")
		worked := false
		wait := func(taken int, enter func(context.Context) error) {
			t.Helper()
			ctx, cancel := context.WithCancelCause(t.Context())
			got := make(chan error, 1)
			go func() { got <- enter(ctx) }()
			synctest.Wait()
			cancel(why)
			if err := <-got; !errors.Is(err, ErrShort) || !errors.Is(err, why) || worked {
				t.Errorf("%v, worked: %v", err, worked)
			}
			if len(p.all) != 2 || len(p.whole) != taken {
				t.Errorf("%d and %d places are taken", len(p.all), len(p.whole))
			}
		}
		whole := func(ctx context.Context) error { return p.Whole(ctx, func() { worked = true }) }
		end := make(chan struct{})
		go func() { _ = p.Whole(t.Context(), func() { <-end }) }()
		synctest.Wait()
		wait(1, p.Enter)
		wait(1, whole) // behind another whole mail
		close(end)
		synctest.Wait()
		_ = p.Enter(t.Context())
		wait(0, whole) // behind pieces
		p.Leave()
		p.Leave()
	})
}
