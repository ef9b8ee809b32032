package retry_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/sqlite"
)

// reads counts how often bodies are read from the store.
type reads struct {
	*sqlite.Queue
	n atomic.Int64
}

func (r *reads) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	if ref.Inline == nil {
		r.n.Add(1)
	}
	return r.Queue.Open(ctx, ref)
}

// A small body is read from the store once for an attempt, a large one isn't held
// in memory; the attempt gets what was stored either way.
func TestWorkerReadsSmallBodiesOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		octets int
		reads  int64
	}{{"empty", 0, 1}, {"small", 2000, 1}, {"as large as is held", 64 << 10, 1}, {"large", 64<<10 + 1, 2}} {
		t.Run(c.name, func(t *testing.T) {
			q := &reads{Queue: openQueue(t)}
			defer q.Close()
			want := strings.Repeat("x", c.octets)
			ref, err := q.Stage(t.Context(), nil, stringBody(want))
			if err != nil {
				t.Fatal(err)
			}
			m := retry.Message{ID: "m", Received: time.Now(), Life: time.Hour, Body: ref}
			if _, err := q.Enqueue(t.Context(), m, []retry.NewDelivery{{ID: "m", Endpoint: "a"}}); err != nil {
				t.Fatal(err)
			}
			done := make(chan string, 1)
			stop := run(t, q, script(func(ctx context.Context, l retry.Lease) retry.Outcome {
				b, err := q.Open(ctx, l.Body)
				if err != nil {
					done <- err.Error()
					return retry.Outcome{Kind: retry.GiveUp}
				}
				defer b.Close()
				got, _ := io.ReadAll(b)
				done <- string(got)
				return retry.Outcome{Kind: retry.Done}
			}), retry.WorkerConfig{}, retry.WorkerDeps{})
			defer stop()
			if got := <-done; got != want {
				t.Errorf("the attempt got %d octets, not the %d that were stored", len(got), len(want))
			}
			if n := q.n.Load(); n != c.reads {
				t.Errorf("the body was read %d times, want %d", n, c.reads)
			}
		})
	}
}
