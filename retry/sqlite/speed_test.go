package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/retry"
)

// small and typical are a short mail's octets and those of one with HTML.
const small, typical = 2_600, 27_000

// BenchmarkEnqueue is durable enqueues by 64 writers: ns/op is the inverse of
// the rate, cpu-µs/op what one costs this process.
func BenchmarkEnqueue(b *testing.B) {
	for name, size := range map[string]int{"small": small, "typical": typical} {
		b.Run(name, func(b *testing.B) {
			q, err := Open(context.Background(), b.TempDir(), Options{MinFree: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			content := crashContent("x", size)
			measured(b, func() {
				rate(64, b.N/64+1, func(w, i int) error { return enqueueOne(q, fmt.Sprintf("m%d-%d", w, i), crashBody{data: content}) })
			})
		})
	}
}

// BenchmarkDrain is a worker that has all it leases delivered at once.
func BenchmarkDrain(b *testing.B) {
	for name, size := range map[string]int{"small": small, "typical": typical} {
		b.Run(name, func(b *testing.B) {
			q, err := Open(context.Background(), b.TempDir(), Options{MinFree: -1})
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			n := (b.N/64 + 1) * 64
			rate(64, n/64, func(w, i int) error {
				id := fmt.Sprintf("m%d-%d", w, i)
				return enqueueOne(q, id, crashBody{data: crashContent(id, size)})
			})
			measured(b, func() { drain(b, q, n) })
		})
	}
}

// drain has n deliveries made, and reads each body once as the gateway does.
func drain(b *testing.B, q *Queue, n int) {
	ctx, stop := context.WithCancel(context.Background())
	var done atomic.Int64
	worker := retry.NewWorker(q, deliverFunc(func(ctx context.Context, l retry.Lease) retry.Outcome {
		if err := readWhole(ctx, q, l); err != nil {
			b.Error(err)
		}
		return retry.Outcome{Kind: retry.Done}
	}), retry.WorkerConfig{}, retry.WorkerDeps{Observer: counting{&done, int64(n), stop}})
	if err := worker.Run(ctx); err != nil {
		b.Fatal(err)
	}
	if s, err := q.Stats(context.Background()); err != nil || s.Messages != 0 {
		b.Fatalf("%d messages are left, %v", s.Messages, err)
	}
}

func readWhole(ctx context.Context, q *Queue, l retry.Lease) error {
	body, err := q.Open(ctx, l.Body)
	if err != nil {
		return err
	}
	defer body.Close()
	return body.Verify()
}

// counting ends a worker after so many attempts.
type counting struct {
	done *atomic.Int64
	n    int64
	stop context.CancelFunc
}

func (c counting) Attempted(retry.Lease, retry.Outcome, time.Duration) {
	if c.done.Add(1) == c.n {
		c.stop()
	}
}
func (counting) Died(retry.Lease, string) {}

// measured tells what f costs this process, beside how long it takes.
func measured(b *testing.B, f func()) {
	cpu := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	b.ReportAllocs()
	b.ResetTimer()
	before, stored := cpu(), written(b)
	f()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(written(b)-stored)/1024/float64(b.N), "disk-KB/op")
	b.StopTimer()
}

// written is how many octets this process has had written to disks.
func written(b *testing.B) (n int64) {
	io, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(io), "\nwrite_bytes: ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

// TestEnqueueAgainstBareInserts measures durable enqueues by 64 writers against
// inserts of the same octets into one table, grouped into commits, through the
// same driver: what an engine on it can reach at most. A message here is three rows
// with seven indexes and an account, and reaches 0.28 to 0.45 of it where small;
// the floor is what a change must not fall below on any machine.
func TestEnqueueAgainstBareInserts(t *testing.T) {
	if !*measure {
		t.Skip("asked for by -measure")
	}
	const writers, each, floor = 64, 60, 0.2
	for name, size := range map[string]int{"small": small, "typical": typical} {
		best := 0.0
		for range 3 {
			bare := rate(writers, each, newBareInserts(t, size).insert)
			q := open(t, t.TempDir(), Options{})
			ours := rate(writers, each, func(w, i int) error {
				id := fmt.Sprintf("m%d-%d", w, i)
				return enqueueOne(q, id, crashBody{data: crashContent(id, size)})
			})
			best = max(best, ours/bare)
			t.Logf("%s: bare inserts %.0f/s, queue %.0f/s, ratio %.2f", name, bare, ours, ours/bare)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if best < floor {
			t.Errorf("%s: ratio %.2f, want at least %.2f", name, best, floor)
		}
	}
}

// bareInserts is a table and nothing else, written as the queue's is.
type bareInserts struct {
	w    *writer
	data []byte
}

func newBareInserts(t *testing.T, size int) *bareInserts {
	q := open(t, filepath.Join(t.TempDir(), "bare"), Options{})
	t.Cleanup(func() { _ = q.Close() })
	err := q.w.do(context.Background(), true, 0, func(ctx context.Context, t *tx) error {
		return t.exec(ctx, "CREATE TABLE bare (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
	})
	if err != nil {
		t.Fatal(err)
	}
	return &bareInserts{q.w, crashContent("bare", size)}
}

func (b *bareInserts) insert(int, int) error {
	return b.w.do(context.Background(), true, int64(len(b.data)), func(ctx context.Context, t *tx) error {
		return t.exec(ctx, "INSERT INTO bare (bytes) VALUES (?)", b.data)
	})
}
