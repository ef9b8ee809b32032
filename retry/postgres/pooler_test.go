package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/postgres/pgtest"
	"postern/retry/queuetest"
)

// TestSuiteBehindPooler runs the whole suite through PgBouncer, which gives a
// connection to somebody else after each transaction.
func TestSuiteBehindPooler(t *testing.T) {
	t.Parallel()
	dsn := shared.Database(t)
	through := pgtest.Bouncer(t, dsn, "transaction")
	queuetest.Run(t, func(t *testing.T, c *queuetest.Clock, b queuetest.Bounds) retry.Queue {
		execute(t, dsn, "DROP SCHEMA IF EXISTS postern CASCADE")
		q := open(t, through, Options{Now: c.Now, MaxBytes: b.Bytes, MaxMessages: b.Messages, Conns: 8})
		if !q.pooled.Load() {
			t.Fatal("the pooler isn't noticed")
		}
		return tidied{q}
	})
}

// TestDurableBehindPooler has connections come back with another program's
// settings: what must be durable is, all the same.
func TestDurableBehindPooler(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	through := pgtest.Bouncer(t, dsn, "transaction")
	q := open(t, through, Options{Conns: 8})
	if direct := open(t, dsn, Options{}); direct.pooled.Load() {
		t.Error("a pooler was seen where there is none")
	}
	var wg sync.WaitGroup
	for range 8 { // each of the pooler's four, most likely
		wg.Go(func() {
			if _, err := q.pool.Exec(ctx, "SET synchronous_commit = off"); err != nil {
				t.Error(err)
			}
			_, _ = q.pool.Exec(ctx, "SELECT pg_sleep(0.05)")
		})
	}
	wg.Wait()
	p, got := q.begin(durable), ""
	p.query(func(r pgx.Rows) (err error) {
		got, err = pgx.CollectExactlyOneRow(r, pgx.RowTo[string])
		return err
	}, "SELECT current_setting('synchronous_commit')")
	if err := q.send(ctx, p); err != nil || got != "on" {
		t.Errorf("synchronous_commit = %s in a pipeline, %v", got, err)
	}
	err := q.tx(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, "SHOW synchronous_commit").Scan(&got) })
	if err != nil || got != "on" {
		t.Errorf("synchronous_commit = %s in a transaction, %v", got, err)
	}
}

// TestRefusesStatementPooling is refused clearly: there are no transactions.
func TestRefusesStatementPooling(t *testing.T) {
	_, err := Open(t.Context(), pgtest.Bouncer(t, shared.Database(t), "statement"), Options{})
	if !errors.Is(err, ErrStatementPooling) {
		t.Errorf("Open = %v", err)
	}
}

// TestReplicasHear has a replica that doesn't look by itself hear
// another stores, and not of what is due later.
func TestReplicasHear(t *testing.T) {
	dsn := shared.Database(t)
	ctx, stop := context.WithCancel(t.Context())
	says := open(t, dsn, Options{})
	hears := open(t, dsn, Options{Admin: true})
	done := make(chan struct{})
	go func() { defer close(done); hears.listen(ctx) }()
	defer func() { stop(); <-done }()
	<-hears.Notify() // it is ready
	<-hears.Notify() // it listens
	if err := putOne(ctx, says, "m"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-hears.Notify():
	case <-time.After(time.Minute):
		t.Fatal("nobody told it")
	}
	if ls, err := hears.Lease(ctx, retry.LeaseRequest{Max: 1, TTL: time.Minute}); err != nil || len(ls) != 1 {
		t.Errorf("leased %d, %v", len(ls), err)
	}
	if err := says.Pause(ctx, "e", 0, "deploy"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-hears.Notify():
	case <-time.After(time.Minute):
		t.Fatal("nobody told it of the pause")
	}
}
