package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipelineLimit is how long the server has for one batch; its callers have
// their own limits.
const pipelineLimit = 20 * time.Second

// How durable a transaction is.
type durability bool

const (
	// durable waits for the disk, and for a synchronous standby.
	durable durability = true
	// relaxed doesn't: for leases, which nobody misses who survives the
	// server's crash.
	relaxed durability = false
)

// mode is the synchronous_commit of a transaction. Each sets its own: a setting
// of the connection's would be another program's behind a pooler.
func (q *Queue) mode(d durability) string {
	if d == relaxed {
		return "off"
	}
	return *q.commitMode.Load()
}

// pipeline collects statements that go to the server in one round trip and are
// one transaction.
type pipeline struct {
	batch pgx.Batch
	reads []func(pgx.BatchResults) error
}

// begin returns a pipeline. Each question has an index that gives its rows in the
// order that it asks for. Without the other ways the server takes that index whatever
// it believes of the table, which may have been small when it looked last; and it
// compiles nothing: it takes a lease from among many for a great deal of work.
func (q *Queue) begin(d durability) *pipeline {
	p := &pipeline{}
	p.exec(`SELECT set_config('synchronous_commit', $1, true), set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true),
		set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)`, q.mode(d))
	return p
}

// exec adds a statement whose result nobody needs.
func (p *pipeline) exec(sql string, args ...any) {
	p.batch.Queue(sql, args...)
	p.reads = append(p.reads, func(r pgx.BatchResults) error { _, err := r.Exec(); return err })
}

// query adds a statement and what reads its rows.
func (p *pipeline) query(read func(pgx.Rows) error, sql string, args ...any) {
	p.batch.Queue(sql, args...)
	p.reads = append(p.reads, func(r pgx.BatchResults) error {
		rows, err := r.Query()
		if err != nil {
			return err
		}
		if err := read(rows); err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	})
}

// send runs a pipeline. A nil error means committed, and errInDoubt that nobody
// knows; after any other nothing is.
func (q *Queue) send(ctx context.Context, p *pipeline) error {
	ctx, cancel := context.WithTimeout(ctx, pipelineLimit)
	defer cancel()
	conn, err := q.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	results := conn.SendBatch(ctx, &p.batch)
	for _, read := range p.reads {
		if err = read(results); err != nil {
			break
		}
	}
	if closing := results.Close(); err == nil { // the commit's own outcome
		err = closing
	}
	return doubt(err)
}

// doubt tells a commit that was refused from one whose outcome is unknown.
func doubt(err error) error {
	if err != nil && inDoubt(err) {
		return fmt.Errorf("%w: %w", errInDoubt, err)
	}
	return classify(err)
}

// errInDoubt is returned when the server went away between a commit's request
// and its answer.
var errInDoubt = errors.New("the outcome of the commit is unknown")

// refused says that a server which is there said no to a statement.
func refused(err error) bool {
	var e *pgconn.PgError
	return !isInDoubt(err) && errors.As(err, &e)
}

func isInDoubt(err error) bool { return errors.Is(err, errInDoubt) }

// inDoubt says that a transaction may be committed though its end brought an
// error: only a server that goes on has said no. The driver's own word for what
// never reached the server is not asked: it says so of commits that did.
func inDoubt(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.SeverityUnlocalized != "ERROR"
	}
	return !errors.Is(err, pgx.ErrTxCommitRollback)
}
