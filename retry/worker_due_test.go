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

// TestLastAttempt: mail that passed its end while nobody was there is attempted
// once before it becomes a dead letter.
func TestLastAttempt(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome retry.OutcomeKind
		left    retry.State // "": delivered
	}{{"the webhook is well", retry.Done, ""}, {"the webhook is down", retry.Later, retry.Dead}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openQueue(t)
				defer q.Close()
				for i := range 20 {
					putFor(t, q, fmt.Sprint("m", i), "a", time.Hour)
				}
				putFor(t, q, "paused", "b", time.Hour)
				must(t, q.Pause(t.Context(), "b", 0, ""))
				time.Sleep(2 * time.Hour) // nobody is there
				var mu sync.Mutex
				attempts := map[string]int{}
				stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
					mu.Lock()
					defer mu.Unlock()
					attempts[l.ID]++
					return retry.Outcome{Kind: c.outcome, Reason: "connect"}
				}), retry.WorkerConfig{}, retry.WorkerDeps{Share: func(string) int { return 2 }})
				time.Sleep(retry.LastChance / 2)
				for i := range 20 {
					id := fmt.Sprint("m", i)
					if attempts[id] != 1 {
						t.Errorf("%s was attempted %d times", id, attempts[id])
					}
					info, _, err := q.Get(t.Context(), id)
					if c.left == "" && !errors.Is(err, retry.ErrNotFound) || c.left != "" && (info.State != c.left || info.Reason != retry.ReasonExpired) {
						t.Errorf("%s: %+v, %v", id, info, err)
					}
				}
				if i, _, err := q.Get(t.Context(), "paused"); err != nil || i.State != retry.Due {
					t.Errorf("a paused endpoint's mail has no chance of a last attempt: %+v, %v", i, err)
				}
				time.Sleep(retry.LastChance)
				stop()
				if i, _, err := q.Get(t.Context(), "paused"); err != nil || i.State != retry.Dead || attempts["paused"] != 0 {
					t.Errorf("a paused endpoint's mail lives on: %+v, %v, %d attempts", i, err, attempts["paused"])
				}
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRestTakesNoLastAttempt: an endpoint that rests for a moment, since there was
// no memory or no slot, still gets the last attempt of what ends meanwhile; one
// that isn't configured any more doesn't.
func TestRestTakesNoLastAttempt(t *testing.T) {
	for rest, delivered := range map[time.Duration]bool{0: true, time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			q := openQueue(t)
			defer q.Close()
			putFor(t, q, "m", "a", 30*time.Second)
			began, attempts := time.Now(), 0
			stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
				if time.Since(began) < 35*time.Second {
					return retry.Outcome{Kind: retry.Skip, After: rest}
				}
				attempts++
				return retry.Outcome{Kind: retry.Done}
			}), retry.WorkerConfig{}, retry.WorkerDeps{})
			time.Sleep(5 * time.Minute)
			stop()
			i, _, err := q.Get(t.Context(), "m")
			if delivered && (attempts != 1 || !errors.Is(err, retry.ErrNotFound)) || !delivered && (attempts != 0 || i.State != retry.Dead) {
				t.Errorf("rest %v: %d attempts, then %+v, %v", rest, attempts, i, err)
			}
		})
	}
}

// TestEndpointThatCameBack: when a breaker's probe is good the waiting mail goes
// out over the next minutes, not when its own turn would come within the hour.
func TestEndpointThatCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for i := range 100 {
			put(t, q, fmt.Sprint("m", i), "a")
		}
		for _, l := range lease(t, q, 100) { // they were tried, and wait for an hour now
			must(t, q.Retry(t.Context(), l, time.Hour, retry.Attempt{At: time.Now(), Status: 503}))
		}
		put(t, q, "probe", "a")
		b := retry.NewBreakers(nil, nil)
		for b.Allowed("a") {
			done, _ := b.Begin("a")
			done(retry.Unhealthy)
		}
		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		var log strings.Builder
		stop := run(t, q, probing(b, func() bool {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			return true
		}), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(5 * time.Minute)
		stop()
		if len(at) != 101 || at[0] < 10*time.Second || at[100]-at[10] < time.Minute {
			t.Errorf("%d of 101 delivered, at %v", len(at), at)
		}
		if !strings.Contains(log.String(), "an endpoint came back: its waiting mail goes out over the next minutes") || !strings.Contains(log.String(), "count=100") {
			t.Errorf("the log: %s", log.String())
		}
	})
}

// lease takes what is due.
func lease(t *testing.T, q retry.Leases, n int) []retry.Lease {
	t.Helper()
	ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: n, TTL: time.Minute})
	if err != nil || len(ls) != n {
		t.Fatalf("%d leases, %v", len(ls), err)
	}
	return ls
}

// health is what an attempt says that was answered well or not.
func health(well bool) retry.Health {
	if well {
		return retry.Healthy
	}
	return retry.Unhealthy
}

// probing asks the breaker as the gateway does.
func probing(b *retry.Breakers, well func() bool) script {
	return func(_ context.Context, l retry.Lease) retry.Outcome {
		done, ok := b.Begin(l.Endpoint)
		if !ok {
			return retry.Outcome{Kind: retry.Skip}
		}
		good := well()
		done(health(good))
		if !good {
			return retry.Outcome{Kind: retry.Later, Reason: "connect"}
		}
		return retry.Outcome{Kind: retry.Done}
	}
}

// TestResumeLetsTheProbeGo: an operator who knows that the webhook is well need
// not wait for an open breaker.
func TestResumeLetsTheProbeGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		b := retry.NewBreakers(nil, nil)
		for i := range 5 {
			done, _ := b.Begin("a")
			done(retry.Unhealthy)
			if i == 4 { // twice as long as at first
				time.Sleep(10 * time.Second)
				done, _ = b.Begin("a")
				done(retry.Unhealthy)
			}
		}
		put(t, q, "m", "a")
		stop := run(t, q, probing(b, func() bool { return true }), retry.WorkerConfig{}, retry.WorkerDeps{Breakers: b})
		time.Sleep(5 * time.Second)
		if i, _, err := q.Get(t.Context(), "m"); err != nil || i.Attempts != 0 {
			t.Fatalf("attempted while the breaker is open: %+v, %v", i, err)
		}
		must(t, q.Resume(t.Context(), "a"))
		time.Sleep(2 * time.Second)
		stop()
		if _, _, err := q.Get(t.Context(), "m"); !errors.Is(err, retry.ErrNotFound) {
			t.Errorf("not delivered after resume: %v", err)
		}
	})
}

// TestCautiousBegin: after an unclean end the first mails are attempted a few at
// a time, and more with each that ends well.
func TestCautiousBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for i := range 100 {
			put(t, q, fmt.Sprint("m", i), fmt.Sprint("e", i%10))
		}
		var mu sync.Mutex
		under, most := 0, []int(nil)
		stop := run(t, q, script(func(context.Context, retry.Lease) retry.Outcome {
			mu.Lock()
			under++
			most = append(most, under)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Cautious: true})
		time.Sleep(time.Minute)
		stop()
		if len(most) != 100 || slices.Max(most[:2]) > 2 || slices.Max(most[:6]) > 4 || slices.Max(most[:14]) > 8 || slices.Max(most) < 20 {
			t.Errorf("under way when each began: %v", most)
		}
	})
}

// TestWorkerLeasesByOctets: large mails are leased a few at a time, whatever
// their number, and one that is larger than the bound goes alone.
func TestWorkerLeasesByOctets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for i := range 8 {
			put(t, q, fmt.Sprint("m", i), "a")
		}
		var mu sync.Mutex
		under, most := 0, 0
		stop := run(t, heavy{q, 30 << 20}, script(func(context.Context, retry.Lease) retry.Outcome {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{})
		time.Sleep(time.Minute)
		stop()
		if s, err := q.Stats(t.Context()); err != nil || s.Messages != 0 || most != 3 {
			t.Errorf("at most %d of 30 MiB each under way, %d left, %v", most, s.Messages, err)
		}
	})
}

// heavy is a queue whose bodies have so many octets.
type heavy struct {
	*sqlite.Queue
	octets int64
}

func (h heavy) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	if req.Octets > 0 {
		req.Max = min(req.Max, int((req.Octets+h.octets-1)/h.octets))
		req.Octets = 0
	}
	ls, err := h.Queue.Lease(ctx, req)
	for i := range ls {
		ls[i].Size = h.octets
	}
	return ls, err
}

// TestClockSteps: whatever the wall clock is set to, deliveries go on, and the
// clock says that it was set.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{2 * time.Hour, -2 * time.Hour, 24 * time.Hour, -24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				off, parted := time.Duration(0), []time.Duration(nil)
				wall := func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return time.Now().Add(off)
				}
				clock := retry.NewClock(wall, func(d time.Duration) { parted = append(parted, d) })
				q, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1, Now: clock.Now})
				must(t, err)
				defer q.Close()
				var done []string
				first := true
				stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
					mu.Lock()
					defer mu.Unlock()
					if l.ID == "waits" && first {
						first = false
						return retry.Outcome{Kind: retry.Later, Reason: "connect"}
					}
					done = append(done, l.ID)
					return retry.Outcome{Kind: retry.Done}
				}), retry.WorkerConfig{}, retry.WorkerDeps{Now: clock.Now, Rand: func() float64 { return 0.5 }, Breakers: retry.NewBreakers(clock.Now, nil)})
				put(t, q, "waits", "a")
				time.Sleep(time.Second)
				mu.Lock()
				off = step
				mu.Unlock()
				put(t, q, "fresh", "a")
				time.Sleep(5 * time.Second)
				stop()
				slices.Sort(done)
				if !slices.Equal(done, []string{"fresh", "waits"}) {
					t.Errorf("delivered %v within 5 s", done)
				}
				if len(parted) == 0 || (parted[0]-step).Abs() > time.Second || (clock.Off()-step).Abs() > time.Minute {
					t.Errorf("the clock said %v and is off by %v", parted, clock.Off())
				}
			})
		})
	}
}
