package postgres

import (
	"fmt"
	"testing"
	"time"

	"postern/retry"
)

// TestLooksPastWhatWaits: what a round of the worker reads doesn't grow with what
// waits for an endpoint that can take nothing, though the server still believes that
// the tables are empty.
func TestLooksPastWhatWaits(t *testing.T) {
	q := open(t, shared.Database(t), Options{MaxMessages: 10_000_000, Conns: 1})
	for _, table := range []string{"message", "delivery", "chunk"} {
		execute(t, q.pool.Config().ConnString(), fmt.Sprintf("ALTER TABLE postern.%s SET (autovacuum_enabled = off)", table))
	}
	stack(t, q, 0, 20_000)
	none := func(string) bool { return true }
	round := func() {
		for _, r := range []retry.LeaseRequest{{Room: func(string) int { return 0 }}, {Expired: true, Held: none, Since: time.Second}} {
			r.Max, r.TTL = 256, time.Minute
			if ls, err := q.Lease(t.Context(), r); err != nil || len(ls) != 0 {
				t.Fatalf("leased %d, %v", len(ls), err)
			}
		}
		if _, some, err := q.NextDue(t.Context(), retry.LeaseRequest{Held: none, Since: time.Second}); err != nil || !some {
			t.Fatalf("some %v, %v", some, err)
		}
	}
	round()
	before := rowsRead(t, q)
	for range 5 {
		round()
	}
	if n := rowsRead(t, q) - before; n > 500 {
		t.Errorf("five rounds read %d rows", n)
	}
	before = rowsRead(t, q)
	if ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 64, TTL: time.Minute}); err != nil || len(ls) != 64 {
		t.Fatalf("leased %d, %v", len(ls), err)
	}
	if n := rowsRead(t, q) - before; n > 3000 {
		t.Errorf("a lease of 64 read %d rows", n)
	}
}

// rowsRead counts the rows that the server has read of the queue's tables.
func rowsRead(t *testing.T, q *Queue) (n int64) {
	t.Helper()
	if _, err := q.pool.Exec(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
		t.Fatal(err)
	}
	err := q.pool.QueryRow(t.Context(), "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE schemaname = 'postern'").Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
