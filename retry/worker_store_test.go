package retry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
	"postern/retry/sqlite"
)

// TestWorkerSplits: where a webhook answered for each recipient, those who are left
// go on as deliveries of their own, each by its own outcome; the dead ones among
// them are reported as what they are.
func TestWorkerSplits(t *testing.T) {
	for name, c := range map[string]struct {
		life   time.Duration
		reason string // of the part that was to be tried again, "" it waits
	}{"in its life": {72 * time.Hour, ""}, "at its end": {time.Millisecond, retry.ReasonExpired}} {
		synctest.Test(t, func(t *testing.T) {
			q := openQueue(t)
			defer q.Close()
			putFor(t, q, "m", "a", c.life)
			time.Sleep(time.Second)
			var dead []string
			attempt := retry.Attempt{Status: 200, Reason: "delivered"}
			stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
				if l.ID != "m" {
					return retry.Outcome{Kind: retry.Skip, After: time.Hour}
				}
				return retry.Outcome{Kind: retry.Divided, Reason: "delivered", Attempt: attempt, Parts: []retry.Part{
					{ID: "later", Recipients: []string{"x"}, Outcome: retry.Outcome{Kind: retry.Later, After: 2 * time.Hour, Attempt: retry.Attempt{Status: 450}}},
					{ID: "never", Recipients: []string{"y", "z"}, Outcome: retry.Outcome{Kind: retry.GiveUp, Reason: "rejected", Attempt: retry.Attempt{Status: 550}}},
				}}
			}), retry.WorkerConfig{}, retry.WorkerDeps{DeadLetter: func(_ context.Context, l retry.Lease, reason string, a retry.Attempt) {
				dead = append(dead, fmt.Sprint(l.ID, l.Recipients, reason, a.Status, l.Attempts))
			}})
			time.Sleep(time.Minute)
			stop()
			later, _, err := q.Get(t.Context(), "later")
			never, _, err2 := q.Get(t.Context(), "never")
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(name, err)
			}
			want := []string{"never[y z]rejected550 1"}
			if c.reason == "" {
				if later.State != retry.Due || time.Until(later.DueAt) < time.Hour {
					t.Errorf("%s: %+v", name, later)
				}
			} else {
				want = append(want, "later[x]expired450 1")
				if later.State != retry.Dead || later.Reason != c.reason {
					t.Errorf("%s: %+v", name, later)
				}
			}
			slices.Sort(dead)
			if slices.Sort(want); !slices.Equal(dead, want) || never.State != retry.Dead || never.Reason != "rejected" {
				t.Errorf("%s: reported %q, want %q; %+v", name, dead, want, never)
			}
			if _, _, err := q.Get(t.Context(), "m"); !errors.Is(err, retry.ErrNotFound) {
				t.Errorf("%s: the divided delivery is still there: %v", name, err)
			}
		})
	}
}

// TestAttemptsAreCompleted: what an attempt doesn't say of itself the worker does.
func TestAttemptsAreCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "bare", "a")
		put(t, q, "whole", "a")
		own := retry.Attempt{At: time.Now().Add(-time.Hour), Took: time.Minute, Reason: "its own", Status: 500}
		began := time.Now()
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			time.Sleep(3 * time.Second)
			if l.ID == "whole" {
				return retry.Outcome{Kind: retry.Later, After: time.Hour, Reason: "outcome", Attempt: own}
			}
			return retry.Outcome{Kind: retry.Later, After: time.Hour, Reason: "outcome"}
		}), retry.WorkerConfig{}, retry.WorkerDeps{})
		time.Sleep(time.Minute)
		stop()
		_, bare, err := q.Get(t.Context(), "bare")
		_, whole, err2 := q.Get(t.Context(), "whole")
		if err := errors.Join(err, err2); err != nil || len(bare) != 1 || len(whole) != 1 {
			t.Fatal(err, bare, whole)
		}
		if a := bare[0]; a.At.Sub(began).Abs() > time.Second || a.Took != 3*time.Second || a.Reason != "outcome" {
			t.Errorf("%+v", a)
		}
		if a := whole[0]; a.At.Sub(own.At).Abs() > time.Second || a.Took != own.Took || a.Reason != own.Reason {
			t.Errorf("%+v", a)
		}
	})
}

// extending counts the extensions of leases.
type extending struct {
	*sqlite.Queue
	mu sync.Mutex
	n  int
}

func (e *extending) Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error {
	e.mu.Lock()
	e.n++
	e.mu.Unlock()
	return e.Queue.Extend(ctx, l, ttl)
}

// TestLeasesAreExtendedInTime: once a minute for an attempt that lasts, not at each
// look at it, and without a word in the log.
func TestLeasesAreExtendedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &extending{Queue: openQueue(t)}
		defer q.Close()
		put(t, q, "m", "a")
		var log strings.Builder
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			time.Sleep(10 * time.Minute)
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(11 * time.Minute)
		stop()
		if q.n < 8 || q.n > 10 || log.Len() > 0 {
			t.Errorf("extended %d times in ten minutes; the log: %s", q.n, log.String())
		}
	})
}

// absent is a queue whose look at what is due fails while err is set.
type absent struct {
	*sqlite.Queue
	mu    sync.Mutex
	err   error
	saves error
}

func (a *absent) set(err, saves error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err, a.saves = err, saves
}

func (a *absent) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	a.mu.Lock()
	err := a.err
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.Queue.Lease(ctx, req)
}

func (a *absent) SaveBreaker(ctx context.Context, endpoint string, state []byte) error {
	a.mu.Lock()
	err := a.saves
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.Queue.SaveBreaker(ctx, endpoint, state)
}

// TestStoreThatIsAway: it is told once that the store is away and once that it is
// back, and what waited then goes out.
func TestStoreThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &absent{Queue: openQueue(t)}
		defer q.Close()
		var log strings.Builder
		done := 0
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			done++
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		put(t, q, "one", "a")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if done != 1 || log.Len() > 0 {
			t.Fatalf("%d delivered; the log: %s", done, log.String())
		}
		q.set(errors.New("connection refused"), nil)
		put(t, q, "two", "a")
		time.Sleep(time.Minute)
		q.set(nil, nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if done != 2 {
			t.Errorf("%d delivered ten seconds after the store came back", done)
		}
		put(t, q, "three", "a")
		time.Sleep(10 * time.Second)
		stop()
		text := log.String()
		if done != 3 || strings.Count(text, "the queue can't be read") != 1 || strings.Count(text, "the queue can be read again") != 1 || strings.Count(text, "\n") != 2 {
			t.Errorf("%d delivered; the log: %s", done, text)
		}
	})
}

// TestStoreThatCantWrite: a worker ends where nothing it does can be stored.
func TestStoreThatCantWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &absent{Queue: openQueue(t)}
		defer q.Close()
		q.set(fmt.Errorf("disk: %w", retry.ErrUnhealthy), nil)
		w := retry.NewWorker(q, script(nil), retry.WorkerConfig{}, retry.WorkerDeps{})
		if err := w.Run(t.Context()); !errors.Is(err, retry.ErrUnhealthy) {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestBreakerThatIsNotSaved: the log says so, and the work goes on.
func TestBreakerThatIsNotSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &absent{Queue: openQueue(t)}
		defer q.Close()
		q.set(nil, errors.New("away"))
		b := retry.NewBreakers(nil, nil)
		var log strings.Builder
		stop := run(t, q, probing(b, func() bool { return false }), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for i := range 5 {
			put(t, q, fmt.Sprint("m", i), "a")
		}
		time.Sleep(5 * time.Second)
		stop()
		if !strings.Contains(log.String(), "a breaker's state wasn't saved") {
			t.Errorf("the log: %s", log.String())
		}
	})
}

// TestReplicasAreHeardWithinASecond: what another replica writes of an endpoint is
// heeded while nothing else wakes this one and none of its breakers is open.
func TestReplicasAreHeardWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		b := retry.NewBreakers(nil, nil)
		stop := run(t, q, script(nil), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b})
		time.Sleep(5500 * time.Millisecond)
		must(t, q.SaveBreaker(t.Context(), "a", retry.MarshalBreaker(retry.Breaker{State: retry.BreakerOpen, Until: time.Now().Add(time.Minute)})))
		time.Sleep(1100 * time.Millisecond)
		if b.Allowed("a") || !b.Allowed("b") {
			t.Errorf("a second after another replica's breaker opened: %+v", b.Snapshot())
		}
		stop()
	})
}

// TestBreakersOutliveTheProcess: they are saved when they change, again where that
// failed, and restored; what can't be read starts closed.
func TestBreakersOutliveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &absent{Queue: openQueue(t)}
		defer q.Close()
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		b := retry.NewBreakers(nil, nil)
		opened := func(name string) {
			for b.Allowed(name) {
				done, _ := b.Begin(name)
				done(retry.Unhealthy)
			}
		}
		opened("a")
		q.set(nil, errors.New("away"))
		if err := b.Save(t.Context(), q); err == nil || !strings.Contains(err.Error(), "the breaker of a") {
			t.Errorf("Save: %v", err)
		}
		q.set(nil, nil)
		must(t, b.Save(t.Context(), q))
		must(t, q.SaveBreaker(t.Context(), "broken", []byte("{")))
		must(t, q.Pause(t.Context(), "paused", 0, "")) // a state without a breaker
		later := retry.NewBreakers(nil, nil)
		must(t, later.Restore(t.Context(), q, logger))
		if later.Allowed("a") || !later.Allowed("broken") || !later.Allowed("paused") || len(later.Snapshot()) != 1 {
			t.Errorf("restored: %+v", later.Snapshot())
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "endpoint=broken") {
			t.Errorf("the log: %s", text)
		}
		saved := &saves{absent: q}
		must(t, b.Save(t.Context(), saved))
		if opened("b"); saved.n != 0 {
			t.Errorf("saved %d times though nothing changed", saved.n)
		}
		if must(t, b.Save(t.Context(), saved)); saved.n != 1 {
			t.Errorf("saved %d times", saved.n)
		}
		past := retry.NewBreakers(func() time.Time { return time.Now().Add(-24 * time.Hour) }, nil)
		must(t, past.Restore(t.Context(), q, logger))
		for _, i := range past.Snapshot() {
			if wait := i.Until.Sub(time.Now().Add(-24 * time.Hour)); wait > 5*time.Minute {
				t.Errorf("a clock that went back: the probe of %s waits %v", i.Endpoint, wait)
			}
		}
	})
}

// saves counts what is saved.
type saves struct {
	*absent
	n int
}

func (s *saves) SaveBreaker(ctx context.Context, endpoint string, state []byte) error {
	s.n++
	return s.absent.SaveBreaker(ctx, endpoint, state)
}
