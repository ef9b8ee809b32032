package budget

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func take(t *testing.T, b *Budget, n int64) *Grant {
	t.Helper()
	g, err := b.Take(t.Context(), n)
	if err != nil {
		t.Fatalf("take %d: %v", n, err)
	}
	return g
}

// queue starts a Take and returns where its grant will come.
func queue(t *testing.T, b *Budget, n int64) <-chan *Grant {
	t.Helper()
	got := make(chan *Grant, 1)
	go func() {
		if g, err := b.Take(t.Context(), n); err == nil {
			got <- g
		}
	}()
	synctest.Wait()
	return got
}

func came(t *testing.T, what string, got <-chan *Grant, want bool) *Grant {
	t.Helper()
	synctest.Wait()
	select {
	case g := <-got:
		if !want {
			t.Errorf("%s was let in", what)
		}
		return g
	default:
		if want {
			t.Errorf("%s still waits", what)
		}
		return nil
	}
}

func TestWaitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400) // 4800 common, 1600 express, small up to 100
		first := take(t, b, 4000)
		giant := queue(t, b, 4800)
		behind := queue(t, b, 500)
		came(t, "the giant", giant, false)
		came(t, "what came behind it, although it would fit,", behind, false)
		small := take(t, b, 100) // passes both
		first.Release()
		g := came(t, "the giant", giant, true)
		came(t, "what came behind it", behind, false)
		g.Release()
		came(t, "what came behind it", behind, true).Release()
		small.Release()
		empty(t, b)
	})
}

func TestGiantGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400)
		g := take(t, b, 100_000)
		if !g.Grow(50_000) {
			t.Error("a giant that is alone may grow")
		}
		other := queue(t, b, 200)
		came(t, "work beside a giant", other, false)
		take(t, b, 10).Release()
		if b.Hold(1) {
			t.Error("a spool stays in memory beside a giant")
		}
		g.Release()
		came(t, "work behind a giant", other, true).Release()
		empty(t, b)
	})
}

func TestSmallWorkLeavesTheGiantItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400)
		var all []*Grant
		for range 64 { // 16 in the express share, 48 in the common one
			all = append(all, take(t, b, 100))
		}
		giant := queue(t, b, 4800)
		small := queue(t, b, 100)
		for _, g := range all[16:] {
			came(t, "the giant", giant, false)
			g.Release()
		}
		came(t, "small work, of which the express share is full,", small, false)
		g := came(t, "the giant", giant, true)
		all[0].Release()
		came(t, "small work", small, true).Release()
		for _, g := range append(all[1:16], g) {
			g.Release()
		}
		empty(t, b)
	})
}

func TestTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400)
		first := take(t, b, 4800)
		why := errors.New("the sender's time is over")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
		defer cancel()
		gone := make(chan error, 1)
		go func() { _, err := b.Take(ctx, 4800); gone <- err }()
		synctest.Wait()
		first.Shrink(3000)
		behind := queue(t, b, 1800)
		came(t, "work behind a giant", behind, false)
		if s := b.Stats(); s.Waiting != 2 || s.Taken != 3000 {
			t.Errorf("stats: %+v", s)
		}
		time.Sleep(2 * time.Second)
		if err := <-gone; !errors.Is(err, ErrShort) || !errors.Is(err, why) {
			t.Errorf("error %v", err)
		}
		came(t, "work behind a giant that gave up", behind, true).Release()
		first.Release()
		first.Release()
		if s := b.Stats(); s.Refused != 1 {
			t.Errorf("stats: %+v", s)
		}
		empty(t, b)
	})
}

func TestHold(t *testing.T) {
	b := New(6400)
	for range 8 {
		if !b.Spare(100) {
			t.Fatal("spared up to an eighth")
		}
	}
	if b.Spare(1) {
		t.Error("who can do without leaves nothing to those who can't")
	}
	for range 8 {
		if !b.Hold(100) {
			t.Fatal("held up to a quarter")
		}
	}
	if b.Hold(1) {
		t.Error("more than a quarter is held")
	}
	g := take(t, b, 3200)
	if g2 := b.Try(101); g2 != nil {
		t.Error("more was taken than the common share has")
	}
	b.Free(1600)
	if g2 := b.Try(1600); g2 == nil {
		t.Error("what was freed can't be taken")
	} else {
		g2.Release()
	}
	g.Release()
	empty(t, b)
}

func TestGrow(t *testing.T) {
	b := New(6400)
	g := take(t, b, 90)
	if !g.Grow(10) || !g.Grow(500) || g.Octets() != 600 {
		t.Errorf("small work that is alone grows: %d", g.Octets())
	}
	other := take(t, b, 4000)
	if g.Grow(201) {
		t.Error("work grew beyond the common share")
	}
	if !g.Grow(200) {
		t.Error("work may grow by what is free")
	}
	other.Release()
	g.Release()
	if g.Grow(1) {
		t.Error("a released grant grew")
	}
	empty(t, b)
}

func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400)
		giant := take(t, b, 9000)
		var all []*Grant
		for range 16 {
			all = append(all, take(t, b, 100))
		}
		small := queue(t, b, 100)
		if b.Crowded() {
			t.Error("crowded at once")
		}
		time.Sleep(6 * time.Second)
		if !b.Crowded() || b.Stats().Waited < 5*time.Second {
			t.Errorf("not crowded: %+v", b.Stats())
		}
		for _, g := range append(all, giant) {
			g.Release()
		}
		came(t, "small work", small, true).Release()
		if b.Crowded() {
			t.Error("still crowded")
		}
	})
}

func TestNoBudget(t *testing.T) {
	var b *Budget
	if !b.Hold(1 << 50) {
		t.Error("nil holds everything")
	}
	b.Free(1 << 50)
	g, err := b.Take(t.Context(), 1<<50)
	if err != nil || !g.Grow(1) || b.Crowded() || b.Stats() != (Stats{}) || b.Try(5) == nil {
		t.Error("nil gives everything")
	}
	g.Shrink(1)
	g.Release()
}

func empty(t *testing.T, b *Budget) {
	t.Helper()
	if s := b.Stats(); s.Held != 0 || s.Taken != 0 || s.Waiting != 0 || b.bulk != (work{}) || b.express != (work{}) {
		t.Errorf("not all was given back: %+v", s)
	}
}

// tooMuch is how a reader says what it needs.
type tooMuch int64

func (e tooMuch) Error() string { return "too much" }
func (e tooMuch) Needs() int64  { return int64(e) }

func TestWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(6400)
		other := take(t, b, 4000)
		needs := func(n int64, asked *int) func(*Grant) error {
			return func(g *Grant) error {
				if *asked++; !g.Reach(n) {
					return fmt.Errorf("reading: %w", tooMuch(n))
				}
				return nil
			}
		}
		asked := 0
		g, err := b.Work(t.Context(), time.Second, 100, needs(800, &asked))
		if err != nil || asked != 1 || g.Octets() != 800 {
			t.Errorf("what is free is used at once: %v, asked %d times", err, asked)
		}
		g.Release()
		asked = 0
		if _, err = b.Work(t.Context(), time.Second, 100, needs(2000, &asked)); !errors.Is(err, ErrShort) || asked != 1 {
			t.Errorf("waited in vain: %v, asked %d times", err, asked)
		}
		time.AfterFunc(time.Second, other.Release)
		asked = 0
		if g, err = b.Work(t.Context(), time.Minute, 100, needs(9000, &asked)); err != nil || asked != 2 || g.Octets() != 9000 {
			t.Errorf("a giant's turn: %v, asked %d times", err, asked)
		}
		g.Release()
		broken := errors.New("the disk")
		if _, err := b.Work(t.Context(), time.Minute, 100, func(*Grant) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("another error: %v", err)
		}
		if _, err := b.Work(t.Context(), time.Minute, 100, func(*Grant) error { return tooMuch(100) }); err == nil {
			t.Error("work that asks for what it has goes on for ever")
		}
		empty(t, b)
	})
}
