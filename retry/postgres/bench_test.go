package postgres

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/retry"
)

// The measurements compare within one run, on a server of their own; they take
// part in tests only when asked for, since a shared machine makes them noise.
var (
	measure = flag.Bool("measure", false, "run the measurements and hold them to their floors")
	writers = flag.Int("writers", 64, "callers at once in the measurements")
)

// noise is a mail's octets, which don't compress.
func noise(size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// cost is the processor's time for one.
type cost struct{ server, client time.Duration }

func (c cost) String() string {
	return fmt.Sprintf("%d+%d us", c.server.Microseconds(), c.client.Microseconds())
}

// used is the processor's time of the shared server and of this process.
func used(t testing.TB) cost {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return cost{shared.CPU(), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

// rate runs f by so many callers and returns how often a second, and what one
// costs.
func rate(t testing.TB, callers, each int, f func(w, i int) error) (float64, cost) {
	t.Helper()
	var wg sync.WaitGroup
	var failed atomic.Value
	before, began := used(t), time.Now()
	for w := range callers {
		wg.Go(func() {
			for i := range each {
				if err := f(w, i); err != nil {
					failed.Store(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took, after := time.Since(began), used(t)
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
	n := callers * each
	return float64(n) / took.Seconds(), cost{(after.server - before.server) / time.Duration(n), (after.client - before.client) / time.Duration(n)}
}

// TestEnqueueAgainstBareInserts measures durable enqueues against the least
// that the server could be asked to do: rows of an id and the same octets, put
// into one table in the same company.
func TestEnqueueAgainstBareInserts(t *testing.T) {
	if !*measure {
		t.Skip("asked for by -measure")
	}
	for _, c := range []struct {
		size, each int
		floor      float64
	}{{2600, 150, 0.4}, {27 << 10, 60, 0.4}} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			octets, best := noise(c.size), 0.0
			for round := range 3 {
				q := open(t, shared.Database(t), Options{})
				bare, bareCPU := rate(t, *writers, c.each, newBare(t, q, octets).put)
				ours, cpu := rate(t, *writers, c.each, func(w, i int) error {
					return enqueueTo(q, fmt.Sprintf("m%d-%d-%d", round, w, i), "e", octets)
				})
				best = max(best, ours/bare)
				t.Logf("%d writers of %d octets: bare inserts %.0f/s (%v), queue %.0f/s (%v), ratio %.2f", *writers, c.size, bare, bareCPU, ours, cpu, ours/bare)
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if best < c.floor {
				t.Errorf("ratio %.2f, want at least %.2f", best, c.floor)
			}
		})
	}
}

// bare is a table of ids and octets.
type bare struct {
	octets []byte
	b      *batcher[string]
}

func newBare(t *testing.T, q *Queue, octets []byte) *bare {
	if _, err := q.pool.Exec(t.Context(), "CREATE TABLE bare (id text PRIMARY KEY, bytes bytea); ALTER TABLE bare ALTER COLUMN bytes SET STORAGE EXTERNAL"); err != nil {
		t.Fatal(err)
	}
	b := &bare{octets: octets}
	b.b = newBatcher(func(ctx context.Context, batch []*op[string]) {
		ids, bytes := make([]string, len(batch)), make([][]byte, len(batch))
		for i, o := range batch {
			ids[i], bytes[i] = o.It, octets
		}
		_, err := q.pool.Exec(ctx, "INSERT INTO bare (id, bytes) SELECT * FROM unnest($1::text[], $2::bytea[])", ids, bytes)
		for _, o := range batch {
			o.Err = err
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	b.b.start(ctx, lanes)
	t.Cleanup(func() { stop(); <-b.b.Ended() })
	return b
}

func (b *bare) put(w, i int) error {
	return b.b.Do(context.Background(), fmt.Sprintf("m%d-%d", w, i), int64(len(b.octets)))
}

// enqueueTo stores a message for an endpoint.
func enqueueTo(q *Queue, id, endpoint string, octets []byte) error {
	ctx := context.Background()
	ref, err := q.Stage(ctx, nil, body(octets))
	if err != nil {
		return err
	}
	now := time.Now()
	m := retry.Message{ID: id, Key: "k" + id, Received: now, Life: time.Hour, From: "sender@example.com", Subject: "Something to read", Envelope: envelope, Body: ref}
	_, err = q.Enqueue(ctx, m, []retry.NewDelivery{{ID: id, Endpoint: endpoint, Recipients: []string{"reader@in.example"}}})
	return err
}

// envelope is as large as a real one.
var envelope = noise(600)

// TestDrain measures how fast a worker gets rid of what waits, with a webhook
// that answers at once: each delivery is leased, read and acknowledged.
func TestDrain(t *testing.T) {
	if !*measure {
		t.Skip("asked for by -measure")
	}
	const each = 80
	for _, size := range []int{2600, 27 << 10} {
		octets := noise(size)
		for round := range 2 {
			q := open(t, shared.Database(t), Options{})
			rate(t, 64, each, func(w, i int) error {
				return enqueueTo(q, fmt.Sprintf("m%d-%d-%d", round, w, i), fmt.Sprint("e", w%4), octets)
			})
			per, cost := drain(t, q, 64*each)
			t.Logf("of %d octets: drained %.0f/s (%v)", size, per, cost)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// drain has a worker deliver so many.
func drain(t *testing.T, q *Queue, n int64) (perSecond float64, c cost) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var sent atomic.Int64
	w := retry.NewWorker(q, deliver(func(l retry.Lease) {
		b, err := q.Open(t.Context(), l.Body) // what is under way at the end is finished
		if err != nil {
			t.Error(err)
			return
		}
		defer b.Close()
		_, _ = io.Copy(io.Discard, b)
		sent.Add(1)
	}), retry.WorkerConfig{}, retry.WorkerDeps{})
	before, began := used(t), time.Now()
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for sent.Load() < n {
		time.Sleep(time.Millisecond)
	}
	stop()
	if err := <-done; err != nil { // after the last acknowledgement
		t.Fatal(err)
	}
	took, after := time.Since(began), used(t)
	if err := q.readUsage(context.Background()); err != nil {
		t.Error(err)
	}
	return float64(n) / took.Seconds(), cost{(after.server - before.server) / time.Duration(n), (after.client - before.client) / time.Duration(n)}
}
