package retry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
)

// lapsing is a queue whose first leases come after others that lapsed.
type lapsing struct{ retry.Queue }

func (q lapsing) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	ls, err := q.Queue.Lease(ctx, req)
	for i := range ls {
		ls[i].Lapsed = ls[i].Attempts == 0
	}
	return ls, err
}

// TestLapsed: what a dead process had in hand is attempted again, but not at once
// and not all together: one of them may have ended it. The lost attempt is told.
func TestLapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue(t)
		defer q.Close()
		for i := range 60 {
			put(t, q, fmt.Sprint("m", i), "a")
		}
		var mu sync.Mutex
		var began []time.Duration
		start, seeded := time.Now(), rand.New(rand.NewPCG(1, 2))
		steady := func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return seeded.Float64()
		}
		stop := run(t, lapsing{q}, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			if _, past, err := q.Get(t.Context(), l.ID); err != nil || l.Attempts != 1 || len(past) != 1 || past[0].Reason != "lost" {
				t.Errorf("%d attempts, %+v, %v", l.Attempts, past, err)
			}
			mu.Lock()
			began = append(began, time.Since(start))
			mu.Unlock()
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Rand: steady})
		time.Sleep(2 * time.Minute)
		stop()
		if len(began) != 60 || slices.Min(began) < 4*time.Second || slices.Max(began) > 20*time.Second {
			t.Fatalf("attempted after %v", began)
		}
		slices.Sort(began)
		if half := began[30]; half < 6*time.Second || half > 12*time.Second {
			t.Errorf("half of them were attempted after %v", half)
		}
	})
}
