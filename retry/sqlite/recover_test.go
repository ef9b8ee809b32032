package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/queuetest"
)

// TestKilledAttempt kills the owner in the middle of an attempt: what was under way
// is marked, whatever else waits isn't.
func TestKilledAttempt(t *testing.T) {
	work, killed := t.TempDir(), filepath.Join(t.TempDir(), "killed")
	q := open(t, work, Options{})
	for _, id := range []string{"first", "second"} {
		if err := enqueueTo(q, id, "e"); err != nil {
			t.Fatal(err)
		}
	}
	ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 1, TTL: time.Minute})
	if err != nil || len(ls) != 1 || ls[0].ID != "first" {
		t.Fatalf("leased %+v, %v", ls, err)
	}
	if err := os.CopyFS(killed, os.DirFS(work)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	again := open(t, killed, Options{})
	ls, err = again.Lease(t.Context(), retry.LeaseRequest{Max: 2, TTL: time.Minute})
	if err != nil || len(ls) != 2 {
		t.Fatalf("leased %+v, %v", ls, err)
	}
	for _, l := range ls {
		if l.Lapsed != (l.ID == "first") || l.Attempts != 0 {
			t.Errorf("%s: lapsed %v, %d attempts", l.ID, l.Lapsed, l.Attempts)
		}
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPoison: a mail that kills its process at every attempt doesn't keep others
// waiting, its lost attempts count, and in the end it is a dead letter.
func TestPoison(t *testing.T) {
	c, dir := queuetest.NewClock(), t.TempDir()
	q := open(t, dir, Options{Now: c.Now})
	if err := enqueueTo(q, "poison", "e"); err != nil {
		t.Fatal(err)
	}
	kills := 0
	for start := range 100 {
		id := fmt.Sprint("m", start)
		if err := enqueueTo(q, id, "e"); err != nil {
			t.Fatal(err)
		}
		e := live(t, q, c, id)
		info, past, err := q.Get(t.Context(), "poison")
		if err != nil {
			t.Fatal(err)
		}
		if info.State == retry.Dead {
			if kills < 3 || kills > 10 || info.Reason != retry.ReasonExpired || info.Attempts != kills || past[0].N != 1 || past[0].Reason != retry.ReasonLost || info.LastError != retry.ErrorLost {
				t.Errorf("after %d kills it is %+v, %+v", kills, info, past)
			}
			return
		}
		if e.killed {
			kills++
		} else if !slices.Contains(e.taken, id) {
			t.Fatalf("start %d: only %v were taken", start, e.taken)
		} else {
			c.Advance(10 * time.Minute)
		}
		next := filepath.Join(t.TempDir(), "next")
		if err := os.CopyFS(next, os.DirFS(dir)); err != nil { // as a kill leaves it
			t.Fatal(err)
		}
		_ = q.Close()
		q, dir = open(t, next, Options{Now: c.Now}), next
		if e.killed { // whoever starts again at once
			if again := live(t, q, c, id); again.killed {
				t.Fatalf("start %d: killed again at once, after %v", start, again.taken)
			}
		}
	}
	t.Errorf("it still waits after %d kills", kills)
}

// end is how a process's life went.
type end struct {
	killed bool // by the poison
	taken  []string
}

// live has a worker attempt one mail at a time until the poison kills it or it has
// attempted the mail.
func live(t *testing.T, q *Queue, c *queuetest.Clock, until string) (e end) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	m := &mortal{Queue: q}
	d := deliverer(func(l retry.Lease) {
		if l.ID == "poison" {
			m.killed.Store(true)
			stop()
			return
		}
		if e.taken = append(e.taken, l.ID); l.ID == until {
			stop()
		}
	})
	deps := retry.WorkerDeps{Now: c.Now, Cautious: true, Rand: func() float64 { return 0.5 }, Share: func(string) int { return 1 }}
	if err := retry.NewWorker(m, d, retry.WorkerConfig{}, deps).Run(ctx); err != nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("took %v, then %v, %v", e.taken, err, ctx.Err())
	}
	e.killed = m.killed.Load()
	return e
}

// mortal is a queue whose process may be killed: it writes nothing any more.
type mortal struct {
	*Queue
	killed atomic.Bool
}

// Ack implements retry.Leases.
func (m *mortal) Ack(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	if m.killed.Load() {
		return errors.New("killed")
	}
	return m.Queue.Ack(ctx, l, a)
}

// deliverer sees each attempt, which its webhook takes.
type deliverer func(retry.Lease)

// Deliver implements retry.Deliverer.
func (d deliverer) Deliver(_ context.Context, l retry.Lease) retry.Outcome {
	d(l)
	return retry.Outcome{Kind: retry.Done}
}
