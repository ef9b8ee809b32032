package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errHung, errOver = errors.New("hung"), errors.New("over")

func newGroup() *Group[int] {
	return NewGroup[int](GroupBounds{Ops: 3, Bytes: 100, Hang: 5 * time.Second, ErrUnknown: errHung, ErrClosed: errOver})
}

// come is a caller each for ops of so many bytes, and their outcomes.
func come(ctx context.Context, g *Group[int], bytes ...int64) chan error {
	outcomes := make(chan error, len(bytes))
	for i, n := range bytes {
		go func() { outcomes <- g.Do(ctx, i, n) }()
		synctest.Wait() // in this order
	}
	return outcomes
}

// TestGroupBatches: what waits goes together, up to the bounds.
func TestGroupBatches(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []int64
		want  int
		full  bool
	}{
		{"alone", []int64{1}, 1, false},
		{"together", []int64{1, 1}, 2, false},
		{"as many as may", []int64{1, 1, 1}, 3, true},
		{"one too many", []int64{1, 1, 1, 1}, 3, true},
		{"as large as may", []int64{60, 40, 1}, 2, true},
		{"with the one that goes past it", []int64{99, 99, 1}, 2, true},
		{"one that is larger than all", []int64{1000, 1}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup()
				outcomes := come(t.Context(), g, c.bytes...)
				for first, left := true, len(c.bytes); left > 0; first = false {
					var b Batch[int]
					full := g.Gather(&b, <-g.Waiting())
					if first && (len(b.Ops) != c.want || full != c.full) {
						t.Errorf("%d together, full %t; want %d, %t", len(b.Ops), full, c.want, c.full)
					}
					for _, o := range b.Ops {
						o.Finish()
					}
					left -= len(b.Ops)
				}
				for range c.bytes {
					if err := <-outcomes; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestGroupGivesUp: who gives up before a worker has begun is left out; after that
// the outcome is waited for, and said to be unknown when it doesn't come.
func TestGroupGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup()
		ctx, cancel := context.WithCancel(t.Context())
		dropped := come(ctx, g, 1)
		cancel()
		if err := <-dropped; !errors.Is(err, context.Canceled) {
			t.Errorf("dropped: %v", err)
		}
		var b Batch[int]
		if g.Gather(&b, <-g.Waiting()); len(b.Ops) != 0 {
			t.Error("a dropped op is done")
		}

		for _, c := range []struct {
			took time.Duration
			want error
		}{{5*time.Second - 1, errOver}, {5*time.Second + 1, errHung}} {
			ctx, cancel := context.WithCancel(t.Context())
			outcome := come(ctx, g, 1)
			var b Batch[int]
			g.Gather(&b, <-g.Waiting())
			cancel()
			synctest.Wait()
			time.Sleep(c.took)
			b.Ops[0].Err = errOver // its own outcome, whatever that is
			b.Ops[0].Finish()
			if err := <-outcome; !errors.Is(err, c.want) {
				t.Errorf("after %v: %v, want %v", c.took, err, c.want)
			}
		}
	})
}

// TestGroupEnds: what was finished has its outcome, all others are told that it is
// over, who has no room to wait too.
func TestGroupEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup()
		outcomes := come(t.Context(), g, 1, 1, 1, 1)
		g.End()
		for range 4 {
			if err := <-outcomes; !errors.Is(err, errOver) {
				t.Error(err)
			}
		}
		if err := g.Do(t.Context(), 9, 0); !errors.Is(err, errOver) {
			t.Error(err)
		}
		o := &Op[int]{Err: errHung, done: make(chan struct{})}
		if o.Finish(); !errors.Is(g.leftover(o), errHung) {
			t.Errorf("one that was finished: %v", g.leftover(o))
		}
	})
}
