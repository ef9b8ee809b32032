package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// TestMillionWaiting measures leases and acknowledgements beside 1,000 and beside
// 1,000,000 deliveries that wait, before and after a part of them is gone, and
// what the tables take and vacuum does.
func TestMillionWaiting(t *testing.T) {
	if !*measure {
		t.Skip("asked for by -measure")
	}
	q := open(t, shared.Database(t), Options{MaxMessages: 10_000_000, MaxBytes: 1 << 40})
	stack(t, q, 0, 10_000)
	few := leaseTimes(t, q, 20)
	t.Logf("10,000 waiting: lease of 64 %v, acknowledged after %v more", few.lease, few.ack)
	const all, piece = 1_000_000, 100_000
	for n := 10_000; n < all; n += piece {
		stack(t, q, n, min(piece, all-n))
	}
	execute(t, q.pool.Config().ConnString(), "ANALYZE")
	sizes(t, q, "1,000,000 waiting")
	many := leaseTimes(t, q, 20)
	t.Logf("1,000,000 waiting: lease of 64 %v, acknowledged after %v more", many.lease, many.ack)
	octets := noise(2600)
	per, c := rate(t, *writers, 50, func(w, i int) error { return enqueueTo(q, fmt.Sprint("x", w, "-", i), "e0", octets) })
	t.Logf("beside them %.0f/s enqueued (%v)", per, c)
	per, c = drain(t, q, 100_000)
	t.Logf("100,000 of them drained at %.0f/s (%v)", per, c)
	late := leaseTimes(t, q, 20)
	t.Logf("then: lease of 64 %v, acknowledged after %v more", late.lease, late.ack)
	for _, table := range []string{"delivery", "message", "chunk", "attempt"} {
		began := time.Now()
		execute(t, q.pool.Config().ConnString(), "VACUUM postern."+table)
		t.Logf("vacuum of %s: %v", table, time.Since(began).Round(time.Millisecond))
	}
	sizes(t, q, "900,000 waiting, after vacuum")
	if many.lease > 5*few.lease || late.lease > 5*few.lease {
		t.Errorf("a lease takes %v beside few, %v beside many and %v after a drain", few.lease, many.lease, late.lease)
	}
}

// TestManyEndpoints measures leases where 1,000 endpoints have ten deliveries each:
// from all of them, and from one that alone has room.
func TestManyEndpoints(t *testing.T) {
	if !*measure {
		t.Skip("asked for by -measure")
	}
	q := open(t, shared.Database(t), Options{})
	stackFor(t, q, 0, 10_000, 1000)
	if _, err := q.Endpoints(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := leaseTimes(t, q, 20)
	t.Logf("1,000 endpoints: lease of 64 %v, acknowledged after %v more", all.lease, all.ack)
	one := median(t, 20, func(i int) {
		mine := fmt.Sprint("e", 500+i)
		ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 256, TTL: time.Minute, Room: func(e string) int {
			if e == mine {
				return 1
			}
			return 0
		}})
		if err != nil || len(ls) != 1 || ls[0].Endpoint != mine {
			t.Fatalf("leased %v, %v", ls, err)
		}
	})
	t.Logf("of one that alone has room: lease of 1 %v", one)
	if all.lease > 30*time.Millisecond || one > 15*time.Millisecond {
		t.Error("that is too long")
	}
}

// median is of so many calls' times.
func median(t *testing.T, n int, call func(i int)) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range n {
		began := time.Now()
		call(i)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[n/2].Round(10 * time.Microsecond)
}

// stack puts n messages into the tables as they are after Enqueue.
func stack(t *testing.T, q *Queue, from, n int) {
	t.Helper()
	stackFor(t, q, from, n, 4)
}

// stackFor puts them there for so many endpoints.
func stackFor(t *testing.T, q *Queue, from, n int, endpoints int64) {
	t.Helper()
	ctx, now := context.Background(), time.Now()
	due, expires, octets := engine.Millis(now), engine.Millis(now.Add(72*time.Hour)), noise(300)
	sum := sha256.Sum256(octets)
	copyIn := func(table string, columns []string, row func(n int64, id string) []any) {
		_, err := q.pool.CopyFrom(ctx, pgx.Identifier{"postern", table}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			k := from + i + 1
			return row(int64(k), fmt.Sprintf("waiting-%d", k)), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	copyIn("message", []string{"n", "id", "key", "received_ms", "expires_ms", "sender", "subject", "size", "sha256", "envelope", "keep_ms", "live", "dead", "sum"}, func(n int64, id string) []any {
		return []any{n, id, "k" + id, due, expires, "a@example.com", "Something", int64(len(octets)), sum[:], envelope, int64(0), int32(1), int32(0), engine.SealMessage(id, "k"+id, sum[:], envelope)}
	})
	copyIn("chunk", []string{"message", "i", "bytes"}, func(n int64, _ string) []any { return []any{n, int32(0), octets} })
	copyIn("delivery", []string{"n", "id", "message", "endpoint", "recipients", "state", "leased_from", "due_ms", "expires_ms", "attempts", "base", "lease_until_ms", "token", "reason", "last_status", "last_error", "sum"}, func(n int64, id string) []any {
		e, to := fmt.Sprint("e", n%endpoints), `["reader@in.example"]`
		return []any{n, id, n, e, to, int16(0), int16(0), due, expires, int32(0), int32(0), int64(0), int64(1), "", int32(0), "", engine.SealDelivery(id, e, to)}
	})
	for _, table := range []string{"message", "delivery"} {
		if _, err := q.pool.Exec(ctx, fmt.Sprintf("SELECT setval(pg_get_serial_sequence('postern.%s', 'n'), $1)", table), from+n+1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.pool.Exec(ctx, "INSERT INTO postern.endpoint (name) SELECT 'e' || x FROM generate_series(0, $1::bigint - 1) x ON CONFLICT DO NOTHING", endpoints); err != nil {
		t.Fatal(err)
	}
	if err := q.readUsage(ctx); err != nil {
		t.Fatal(err)
	}
}

type times struct{ lease, ack time.Duration }

// leaseTimes is the median of so many leases and of ending all of one.
func leaseTimes(t *testing.T, q *Queue, n int) times {
	t.Helper()
	var lease, ack []time.Duration
	for range n {
		began := time.Now()
		ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 64, TTL: time.Minute})
		if err != nil || len(ls) != 64 || ls[0].Damaged {
			t.Fatalf("leased %d, %v", len(ls), err)
		}
		lease = append(lease, time.Since(began))
		began = time.Now()
		errs := make(chan error, len(ls))
		for _, l := range ls {
			go func() { errs <- q.Ack(context.Background(), l, retry.Attempt{}) }()
		}
		for range ls {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		ack = append(ack, time.Since(began))
	}
	slices.Sort(lease)
	slices.Sort(ack)
	return times{lease[n/2].Round(10 * time.Microsecond), ack[n/2].Round(10 * time.Microsecond)}
}

// sizes logs what the tables take and how often they were vacuumed.
func sizes(t *testing.T, q *Queue, when string) {
	t.Helper()
	rows, err := q.pool.Query(t.Context(), `SELECT relname::text, pg_table_size(relid) / 1000000, pg_indexes_size(relid) / 1000000, n_live_tup, n_dead_tup, autovacuum_count
		FROM pg_stat_user_tables WHERE schemaname = 'postern' AND pg_table_size(relid) > 1000000 ORDER BY relname`)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var table, indexes, live, dead, vacuums int64
	_, err = pgx.ForEachRow(rows, []any{&name, &table, &indexes, &live, &dead, &vacuums}, func() error {
		t.Logf("%s: %s %d MB, indexes %d MB, %d rows and %d dead, vacuumed %d times", when, name, table, indexes, live, dead, vacuums)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
