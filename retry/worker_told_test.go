package retry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
	"postern/retry/sqlite"
)

// watcher notes what an Observer is told.
type watcher struct {
	mu   sync.Mutex
	told []string
}

func (w *watcher) add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

// Attempted implements retry.Observer.
func (w *watcher) Attempted(l retry.Lease, o retry.Outcome, took time.Duration) {
	w.add("%s ended %d after %v", l.ID, o.Kind, took)
}

// Died implements retry.Observer.
func (w *watcher) Died(l retry.Lease, reason string) { w.add("%s died %s", l.ID, reason) }

// TestWorkerTellsItsObserver: of each attempt, but not of what wasn't attempted, and
// of each dead letter.
func TestWorkerTellsItsObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for _, id := range []string{"done", "later", "never", "skipped"} {
			put(t, q, id, id)
		}
		var w watcher
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			time.Sleep(2 * time.Second)
			switch l.ID {
			case "done":
				return retry.Outcome{Kind: retry.Done}
			case "later":
				return retry.Outcome{Kind: retry.Later, After: time.Hour}
			case "never":
				return retry.Outcome{Kind: retry.GiveUp, Reason: "rejected"}
			}
			return retry.Outcome{Kind: retry.Skip, After: time.Hour}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Observer: &w})
		time.Sleep(time.Minute)
		stop()
		slices.Sort(w.told)
		want := []string{"done ended 1 after 2s", "later ended 0 after 2s", "never died rejected", "never ended 2 after 2s"}
		if !slices.Equal(w.told, want) {
			t.Errorf("told %q, want %q", w.told, want)
		}
	})
}

// taken is a queue whose leases are lost at their first extension.
type taken struct{ *sqlite.Queue }

func (taken) Extend(context.Context, retry.Lease, time.Duration) error { return retry.ErrLeaseLost }

// TestWorkerLosesALease: an attempt whose lease somebody else has is cut short when
// that is known, and writes nothing of its outcome.
func TestWorkerLosesALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := taken{openQueue(t)}
		defer q.Close()
		put(t, q, "m", "a")
		began := time.Now()
		var cause error
		var cut time.Duration
		stop := run(t, q, script(func(ctx context.Context, _ retry.Lease) retry.Outcome {
			if cause == nil {
				<-ctx.Done()
				cause, cut = context.Cause(ctx), time.Since(began)
			}
			return retry.Outcome{Kind: retry.GiveUp, Reason: "rejected"}
		}), retry.WorkerConfig{}, retry.WorkerDeps{})
		time.Sleep(90 * time.Second)
		info, _, err := q.Get(t.Context(), "m")
		if !errors.Is(cause, retry.ErrLeaseLost) || cut > time.Minute || err != nil || info.State == retry.Dead {
			t.Errorf("cut by %v after %v; it is %s, %v", cause, cut, info.State, err)
		}
		stop()
	})
}

// TestPartsWaitAsTheWhole: what is left of a delivery waits by the attempts that the
// whole had, this one counted.
func TestPartsWaitAsTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "m", "a")
		var divided time.Time
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			switch {
			case l.ID == "rest":
				return retry.Outcome{Kind: retry.Skip, After: time.Hour}
			case l.Tries == 0:
				return retry.Outcome{Kind: retry.Later}
			}
			divided = time.Now()
			return retry.Outcome{Kind: retry.Divided, Parts: []retry.Part{{ID: "rest", Recipients: []string{"x"}, Outcome: retry.Outcome{Kind: retry.Later}}}}
		}), retry.WorkerConfig{Policy: retry.Policy{First: 10 * time.Second, Factor: 3, MaxDelay: time.Hour, MaxAge: 72 * time.Hour}}, retry.WorkerDeps{})
		time.Sleep(15 * time.Second)
		stop()
		rest, _, err := q.Get(t.Context(), "rest")
		if wait := rest.DueAt.Sub(divided); err != nil || divided.IsZero() || (wait-30*time.Second).Abs() > time.Second {
			t.Errorf("the rest waits %v after the second attempt, want 30s; %v", wait, err)
		}
	})
}

// TestUnreadableComesBackSoon: a message that can't be read for a moment waits for
// seconds, not until its lease is over.
func TestUnreadableComesBackSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &away{Queue: openQueue(t)}
		defer q.Close()
		q.down.Store(true)
		ref, err := q.Stage(t.Context(), nil, stringBody(fmt.Sprintf("%2000s", "x")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Enqueue(t.Context(), retry.Message{ID: "m", Received: time.Now(), Life: time.Hour, Body: ref}, []retry.NewDelivery{{ID: "m", Endpoint: "a"}}); err != nil {
			t.Fatal(err)
		}
		var read time.Time
		began := time.Now()
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			read = time.Now()
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.DiscardHandler)})
		time.Sleep(time.Second)
		q.down.Store(false)
		time.Sleep(3 * time.Minute)
		stop()
		if after := read.Sub(began); after < 3*time.Second || after > 8*time.Second {
			t.Errorf("read after %v, want about 5s", after)
		}
	})
}
