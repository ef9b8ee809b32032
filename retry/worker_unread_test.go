package retry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
	"postern/retry/sqlite"
)

// away is a queue whose large bodies can't be read for a while.
type away struct {
	*sqlite.Queue
	down atomic.Bool
}

func (a *away) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	if ref.Size > 1000 && a.down.Load() {
		return nil, errors.New("the object store is away")
	}
	return a.Queue.Open(ctx, ref)
}

// Mail that can't be read now waits without spending attempts, and is in nobody's
// way: not even its own endpoint's other mail waits for it.
func TestWorkerUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &away{Queue: openQueue(t)}
		defer q.Close()
		q.down.Store(true)
		for i := range 10 {
			id := fmt.Sprint("large", i)
			ref, err := q.Stage(t.Context(), nil, stringBody(id+strings.Repeat("x", 2000)))
			if err != nil {
				t.Fatal(err)
			}
			m := retry.Message{ID: id, Received: time.Now(), Life: 72 * time.Hour, Body: ref}
			if _, err := q.Enqueue(t.Context(), m, []retry.NewDelivery{{ID: id, Endpoint: "a"}}); err != nil {
				t.Fatal(err)
			}
		}
		put(t, q, "small", "a")
		var small, large, wrong atomic.Int64
		stop := run(t, q, script(func(_ context.Context, l retry.Lease) retry.Outcome {
			if l.Tries != 0 || l.Attempts != 0 {
				wrong.Add(1)
			}
			if l.ID == "small" {
				small.Add(1)
			} else {
				large.Add(1)
			}
			return retry.Outcome{Kind: retry.Done}
		}), retry.WorkerConfig{}, retry.WorkerDeps{Logger: slog.New(slog.DiscardHandler), Share: func(string) int { return 4 }})
		time.Sleep(3 * time.Second)
		if small.Load() != 1 || large.Load() != 0 {
			t.Errorf("%d small and %d large mails are delivered while bodies are away", small.Load(), large.Load())
		}
		time.Sleep(10 * time.Minute)
		q.down.Store(false)
		time.Sleep(3 * time.Minute)
		stop()
		if large.Load() != 10 || wrong.Load() != 0 {
			t.Errorf("%d of 10 are delivered when bodies are back, %d with spent attempts", large.Load(), wrong.Load())
		}
		if s, err := q.Stats(context.Background()); err != nil || s.Messages != 0 {
			t.Errorf("left: %+v, %v", s, err)
		}
	})
}
