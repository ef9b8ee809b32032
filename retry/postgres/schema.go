package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNewerSchema is returned when a newer program wrote the database in a way
// that this one can't work with.
var ErrNewerSchema = errors.New("postgres: the queue's schema is newer than this program")

// migrationLock keeps replicas that start at once from migrating twice.
const migrationLock = 0x706f737465726e // "postern"

// step is one change of the schema, in a transaction of its own.
type step struct {
	sql string
	// breaks says that programs of before would go wrong on the new schema.
	// Without it they go on beside it, and restart: the replicas are replaced
	// one by one.
	breaks bool
}

// steps are applied in order; a released one is never edited. A change that
// older programs can't bear is made in two releases: first what the new form
// needs beside the old one, then, with breaks, the end of the old one.
var steps = []step{{schema1, true}, {schema2, true}, {schema3, true}, {schema4, false}, {schema5, false}}

// How long a migration waits for the tables' locks before it lets the other
// replicas work for a moment: less than the server takes a deadlock for.
const (
	lockWait  = 300 * time.Millisecond
	lockTries = 20
	lockRest  = 200 * time.Millisecond
)

// migrate brings the schema up to date, one replica at a time, or refuses one
// from a future that this program can't work with.
func (q *Queue) migrate(ctx context.Context) error {
	for try := 1; ; try++ {
		err := q.tx(ctx, func(tx pgx.Tx) error { return q.migrateIn(ctx, tx) })
		if !isLocked(err) || try == lockTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lockRest):
		}
	}
}

// isLocked says that other replicas are using what a migration changes.
func isLocked(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "55P03" || e.Code == "40P01") // lock_not_available, deadlock_detected
}

func (q *Queue) migrateIn(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	have, err := q.schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if have >= len(q.o.steps) {
		return nil
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", lockWait.Milliseconds())); err != nil {
		return err
	}
	for v := have; v < len(q.o.steps); v++ {
		if _, err := tx.Exec(ctx, q.o.steps[v].sql); err != nil {
			return fmt.Errorf("migrating the schema to version %d: %w", v+1, err)
		}
		if err := record(ctx, tx, v+1, q.o.steps[v].breaks); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion is the schema's, 0 before the first step. postern.version holds
// what a program must know at least, postern.step what was done: a program that
// knows less than the first is refused.
func (q *Queue) schemaVersion(ctx context.Context, tx pgx.Tx) (have int, err error) {
	_, err = tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS postern; CREATE TABLE IF NOT EXISTS postern.version (v int NOT NULL);
		CREATE TABLE IF NOT EXISTS postern.step (v int PRIMARY KEY)`)
	if err != nil {
		return 0, fmt.Errorf("creating the schema postern: grant CREATE on the database to this user: %w", err)
	}
	var needed int
	err = tx.QueryRow(ctx, "SELECT coalesce(max(v), 0), greatest((SELECT max(v) FROM postern.step), coalesce(max(v), 0)) FROM postern.version").Scan(&needed, &have)
	if err == nil && needed > len(q.o.steps) {
		err = fmt.Errorf("%w: it needs a program that knows version %d and this one knows %d: run the version that wrote it, or a newer one", ErrNewerSchema, needed, len(q.o.steps))
	}
	return have, err
}

func record(ctx context.Context, tx pgx.Tx, v int, breaks bool) error {
	if _, err := tx.Exec(ctx, "INSERT INTO postern.step (v) VALUES ($1)", v); err != nil {
		return err
	}
	if !breaks {
		return nil
	}
	_, err := tx.Exec(ctx, "INSERT INTO postern.version (v) VALUES ($1)", v)
	return err
}
