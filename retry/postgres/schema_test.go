package postgres

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/retry"
)

// nextSteps are those of a future program: one more, which older ones either
// bear or don't.
func nextSteps(breaks bool) []step {
	return append(slices.Clone(steps), step{`ALTER TABLE postern.delivery ADD COLUMN colour text NOT NULL DEFAULT 'red'; CREATE TABLE postern.later (x int)`, breaks})
}

// TestTwoVersionsAtOnce replaces replicas one by one: those of this version run,
// and start, beside one of a newer that has changed the schema already.
func TestTwoVersionsAtOnce(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	before := open(t, dsn, Options{})
	newer := open(t, dsn, Options{steps: nextSteps(false)})
	restarted := open(t, dsn, Options{})
	all := []*Queue{before, newer, restarted}
	for i, q := range all {
		if _, err := enqueue1(ctx, q, fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, q := range all { // each takes another's
		ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 1, TTL: time.Minute})
		if err != nil || len(ls) != 1 {
			t.Fatalf("%d: %v, %v", i, ls, err)
		}
		if err := all[(i+1)%3].Ack(ctx, ls[0], retry.Attempt{}); err != nil {
			t.Error(err)
		}
	}
	again := open(t, dsn, Options{steps: nextSteps(false)})
	if err := again.readUsage(ctx); err != nil || !again.idle() {
		t.Errorf("left: %+v, %v", again.usage.Get(), err)
	}
}

func TestRefusesASchemaThatNeedsANewerProgram(t *testing.T) {
	dsn := shared.Database(t)
	open(t, dsn, Options{steps: nextSteps(true)})
	if _, err := Open(t.Context(), dsn, Options{}); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("Open = %v", err)
	}
}

// TestMigratesUnderLoad changes the schema while a replica of the version
// before works: it loses nothing, and goes on.
func TestMigratesUnderLoad(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	old := open(t, dsn, Options{steps: steps[:3]})
	put := func(q *Queue, id string) error {
		_, err := q.pool.Exec(ctx, `WITH m AS (INSERT INTO postern.message (id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope, keep_ms, live, dead, sum)
			VALUES ($1, $1, 0, 1, '', '', 2, '', '', 0, 0, 0, 0) RETURNING n) SELECT n FROM m`, id)
		return err
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := put(old, fmt.Sprint("m", i)); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	newer := open(t, dsn, Options{})
	if err := put(old, "after"); err != nil {
		t.Fatal(err)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var rows, booked int64
	err := newer.pool.QueryRow(ctx, "SELECT (SELECT count(*) FROM postern.message), (SELECT sum(messages)::bigint FROM postern.usage)").Scan(&rows, &booked)
	if err != nil || rows == 0 || rows != booked {
		t.Errorf("%d messages, %d in the account, %v", rows, booked, err)
	}
}
