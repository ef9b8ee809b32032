package budget

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestModel has many pieces of work of all weights book, grow, shrink and give
// up at random, and holds at every step: never more than the whole is booked
// but by one that is alone; everybody comes to an end; nothing is left over.
func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { model(t, seed) })
		})
	}
}

func model(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := New(1 + rnd.Int64N(100_000))
	var wg sync.WaitGroup
	for range 200 {
		a := &actor{b: b, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 2))}
		wg.Go(func() { a.live(t) })
	}
	wg.Wait()
	empty(t, b)
}

// actor is a message's life: it arrives, is held, gives that up, and is worked on.
type actor struct {
	b   *Budget
	rnd *rand.Rand
}

func (a *actor) live(t *testing.T) {
	a.pause()
	held := a.hold(t)
	a.pause()
	a.b.Free(held)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+a.rnd.IntN(20_000))*time.Millisecond)
	defer cancel()
	g, err := a.b.Take(ctx, a.weight())
	if err != nil {
		if ctx.Err() == nil {
			t.Errorf("refused before its time was over: %v", err)
		}
		return
	}
	defer g.Release()
	for range a.rnd.IntN(5) {
		a.check(t)
		before := g.Octets()
		if n := a.weight(); a.rnd.IntN(2) == 0 {
			g.Shrink(n)
		} else if grown := g.Grow(n); grown != (g.Octets() == before+n) {
			t.Errorf("grown %v: from %d by %d to %d", grown, before, n, g.Octets())
		}
		a.pause()
	}
	a.check(t)
}

func (a *actor) hold(t *testing.T) (held int64) {
	for range a.rnd.IntN(4) {
		n := a.weight() / 8
		book := a.b.Hold
		if a.rnd.IntN(3) == 0 {
			book = a.b.Spare
		}
		if book(n) {
			held += max(n, 0)
		}
		a.check(t)
	}
	return held
}

// weight is mostly small, sometimes more than there is.
func (a *actor) weight() int64 {
	return a.b.total >> a.rnd.IntN(12) * int64(1+a.rnd.IntN(3)) / 2
}

func (a *actor) pause() { time.Sleep(time.Duration(a.rnd.IntN(500)) * time.Millisecond) }

// check is the bounds that hold at any moment.
func (a *actor) check(t *testing.T) {
	b := a.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if used := b.held + b.bulk.octets + b.express.octets; used > b.total && b.bulk.grants != 1 {
		t.Errorf("%d of %d octets are booked, by %d", used, b.total, b.bulk.grants)
	}
	if b.express.octets > b.total/expressShare || b.held > b.total/heldShare {
		t.Errorf("a share was overdrawn: %+v, held %d", b.express, b.held)
	}
	if e := b.large.Front(); e != nil && b.bulk.grants == 0 {
		t.Error("large work waits although none is under way")
	}
}

// TestNobodyStarves floods a budget with small and middling work for a minute
// and holds that each giant in between gets its turn soon.
func TestNobodyStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(64_000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		slowest := map[int64]time.Duration{}
		var mu sync.Mutex
		for i := range 60 {
			n := []int64{900, 900, 5000, 60_000}[i%4]
			wg.Go(func() {
				for ctx.Err() == nil {
					began := time.Now()
					g, err := b.Take(context.Background(), n)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					slowest[n] = max(slowest[n], time.Since(began))
					mu.Unlock()
					time.Sleep(100 * time.Millisecond)
					g.Release()
				}
			})
		}
		wg.Wait()
		if slowest[60_000] > 5*time.Second || slowest[5000] > 5*time.Second || slowest[900] > 500*time.Millisecond {
			t.Errorf("the longest waits: %v", slowest)
		}
		empty(t, b)
	})
}
