package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postern/retry"
	"postern/retry/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers each attempt; it stands in for the gateway.
type script func(ctx context.Context, l retry.Lease) retry.Outcome

func (s script) Deliver(ctx context.Context, l retry.Lease) retry.Outcome { return s(ctx, l) }

func openQueue(t *testing.T) *sqlite.Queue {
	t.Helper()
	q, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// stringBody is a message's bytes.
type stringBody string

func (b stringBody) Open() (io.ReadSeekCloser, error) {
	return nopCloser{strings.NewReader(string(b))}, nil
}
func (b stringBody) Size() int64 { return int64(len(b)) }

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

func put(t *testing.T, q retry.Queue, id, endpoint string) {
	t.Helper()
	putFor(t, q, id, endpoint, 72*time.Hour)
}

// putFor stores a message that is given up after the age.
func putFor(t *testing.T, q retry.Queue, id, endpoint string, age time.Duration) {
	t.Helper()
	ref, err := q.Stage(context.Background(), nil, stringBody(id+strings.Repeat("x", 100)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	m := retry.Message{ID: id, Received: now, Life: age, Body: ref}
	if _, err := q.Enqueue(context.Background(), m, []retry.NewDelivery{{ID: id, Endpoint: endpoint}}); err != nil {
		t.Fatal(err)
	}
}

// run has a worker work until stop is called. Unless the test looks at the log
// itself, it must hold no error.
func run(t *testing.T, q retry.Queue, d retry.Deliverer, cfg retry.WorkerConfig, deps retry.WorkerDeps) (stop func()) {
	t.Helper()
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.NewTextHandler(refusing{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- retry.NewWorker(q, d, cfg, deps).Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// refusing is a log that must stay empty.
type refusing struct{ t *testing.T }

// Write implements io.Writer.
func (r refusing) Write(line []byte) (int, error) {
	r.t.Errorf("logged: %s", line)
	return len(line), nil
}

func TestWorkerRetriesByPolicyUntilDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "m", "a")
		start := time.Now()
		var at []time.Duration
		done := make(chan struct{})
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			at = append(at, time.Since(start).Round(time.Second))
			if len(at) < 5 {
				return retry.Outcome{Kind: retry.Later, Reason: "unavailable", Attempt: retry.Attempt{Status: 503}}
			}
			close(done)
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Rand: func() float64 { return 0.5 }})
		<-done
		stop()
		want := []time.Duration{0, 5, 20, 65, 200}
		for i, w := range want {
			if at[i] != w*time.Second {
				t.Errorf("attempt %d after %v, want %v", i+1, at[i], w*time.Second)
			}
		}
		if list, _, err := q.List(context.Background(), retry.Filter{}, retry.Page{}); err != nil || len(list) != 0 {
			t.Errorf("left: %v, %v", list, err)
		}
	})
}

func TestWorkerExpiresToDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		putFor(t, q, "m", "a", 3*time.Hour)
		putFor(t, q, "paused", "b", 3*time.Hour)
		if err := q.Pause(context.Background(), "b", 0, ""); err != nil {
			t.Fatal(err)
		}
		policy := retry.DefaultPolicy()
		policy.MaxAge = 3 * time.Hour
		attempts := 0
		var mu sync.Mutex
		died := map[string]string{}
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			attempts++
			return retry.Outcome{Kind: retry.Later, Reason: "connect"}
		}), retry.WorkerConfig{Policy: policy}, retry.WorkerDeps{DeadLetter: func(_ context.Context, l retry.Lease, reason string, _ retry.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			died[l.ID] = reason
		}})
		time.Sleep(4 * time.Hour)
		stop()
		if died["m"] != "expired" || died["paused"] != "expired" {
			t.Errorf("dead letters: %v", died)
		}
		if attempts < 8 || attempts > 11 { // 7 in half an hour, then hourly
			t.Errorf("%d attempts in three hours", attempts)
		}
		for _, id := range []string{"m", "paused"} {
			if i, _, err := q.Get(context.Background(), id); err != nil || i.State != retry.Dead || i.Reason != "expired" {
				t.Errorf("%s: %+v, %v", id, i, err)
			}
		}
	})
}

func TestWorkerGraceAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "quick", "a")
		put(t, q, "slow", "b")
		started := make(chan string, 2)
		stop := run(t, q, script(func(ctx context.Context, l retry.Lease) retry.Outcome {
			started <- l.ID
			wait := time.Second
			if l.ID == "slow" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				return retry.Outcome{Kind: retry.Done}
			case <-ctx.Done():
				return retry.Outcome{Kind: retry.Later, Reason: "connect"}
			}
		}), retry.WorkerConfig{Grace: 10 * time.Second}, retry.WorkerDeps{})
		<-started
		<-started
		began := time.Now()
		stop()
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("Run ended after %v, want the grace", d)
		}
		if _, _, err := q.Get(context.Background(), "quick"); !errors.Is(err, retry.ErrNotFound) {
			t.Errorf("the attempt that finished within the grace isn't settled: %v", err)
		}
		if i, _, err := q.Get(context.Background(), "slow"); err != nil || i.State != retry.Due || i.Attempts != 1 || i.DueAt.After(began) {
			t.Errorf("the attempt cut short: %+v, %v", i, err)
		}
	})
}

func TestWorkerExtendsLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "m", "a")
		attempts := 0
		done := make(chan struct{})
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			attempts++
			time.Sleep(20 * time.Minute)
			close(done)
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{})
		<-done
		stop()
		if attempts != 1 {
			t.Errorf("%d attempts", attempts)
		}
	})
}

func TestWorkerBreakerSparesAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for i := range 40 {
			put(t, q, fmt.Sprint("m", i), "a")
		}
		b := retry.NewBreakers(nil, nil)
		attempts, down := 0, true
		var mu sync.Mutex
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			done, ok := b.Begin("a")
			if !ok {
				return retry.Outcome{Kind: retry.Skip}
			}
			mu.Lock()
			defer mu.Unlock()
			attempts++
			done(health(!down))
			if down {
				return retry.Outcome{Kind: retry.Later}
			}
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b, Share: func(string) int { return 1 }})
		time.Sleep(9 * time.Second)
		mu.Lock()
		if attempts != 5 {
			t.Errorf("%d attempts before the breaker opened, want 5", attempts)
		}
		mu.Unlock()
		time.Sleep(time.Hour)
		mu.Lock()
		// Probes after 10, 20, 40, 80, 160 s, then every 5 min.
		if attempts < 16 || attempts > 24 {
			t.Errorf("%d attempts in an hour of an open breaker", attempts)
		}
		down = false
		mu.Unlock()
		time.Sleep(2 * time.Hour)
		stop()
		if s, err := q.Stats(context.Background()); err != nil || s.Messages != 0 {
			t.Errorf("left after recovery: %+v, %v", s, err)
		}
	})
}

func TestWorkerQuarantinesDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "m", "a")
		stop := run(t, damaged{q}, script(func(context.Context, retry.Lease) retry.Outcome {
			t.Error("a damaged body was delivered")
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.DiscardHandler)})
		time.Sleep(time.Second)
		stop()
		if i, _, err := q.Get(context.Background(), "m"); err != nil || i.State != retry.Dead || i.Reason != "corrupt" {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// damaged is a queue whose bodies are all corrupt.
type damaged struct{ retry.Queue }

func (damaged) Open(context.Context, retry.BodyRef) (retry.StoredBody, error) {
	return nil, retry.ErrCorrupt
}

// counted counts the worker's looks at the queue.
type counted struct {
	retry.Queue
	looks *int
}

func (c counted) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	*c.looks++
	return c.Queue.Lease(ctx, req)
}

// TestWorkerRestsWhileNothingCanBeDone holds the worker to a look now and then
// while an open breaker's probe is overdue, an endpoint is paused, and an
// attempt outlasts its delivery's age.
func TestWorkerRestsWhileNothingCanBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		b := retry.NewBreakers(nil, nil)
		for range 5 {
			done, _ := b.Begin("open")
			done(retry.Unhealthy)
		}
		put(t, q, "paused", "paused")
		if err := q.Pause(context.Background(), "paused", 0, ""); err != nil {
			t.Fatal(err)
		}
		putFor(t, q, "slow", "slow", time.Minute)
		looks := 0
		stop := run(t, counted{q, &looks}, script(func(context.Context, retry.Lease) retry.Outcome {
			time.Sleep(30 * time.Minute)
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b})
		time.Sleep(time.Hour)
		stop()
		if looks > 500 {
			t.Errorf("%d looks in an hour", looks)
		}
	})
}

func TestWorkerSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		put(t, q, "poison", "a")
		tries := 0
		done := make(chan struct{})
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			if tries++; tries == 1 {
				panic("what a mail")
			}
			close(done)
			return retry.Outcome{Kind: retry.GiveUp, Reason: "rejected"}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.DiscardHandler)})
		<-done
		stop()
		_, history, err := q.Get(context.Background(), "poison")
		if err != nil || len(history) != 2 || history[0].Error != "panic: what a mail" {
			t.Errorf("%+v, %v", history, err)
		}
	})
}
