package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A pooler such as PgBouncer gives a connection to somebody else after each
// transaction. So nothing here is a connection's: each transaction sets what it
// needs, locks end with it, statements aren't prepared for later, and notices
// aren't heard: the look each second stands in for them.

// ErrStatementPooling is returned behind a pooler that allows no transactions.
var ErrStatementPooling = errors.New("postgres: the pooler before the database allows no transactions: set its pool_mode to transaction or session")

// poolingMode tells a pooler's refusal of transactions from one that passes:
// PgBouncer has one code for all that it refuses.
func poolingMode(err error) error {
	if err != nil && strings.Contains(err.Error(), "statement pooling") {
		return fmt.Errorf("%w: %w", ErrStatementPooling, err)
	}
	return err
}

// errPooler ends a connection that came through a pooler unexpectedly; the next
// ones are made for it.
var errPooler = errors.New("there is a pooler before the database now: trying again")

// behindPooler says whether the server's process is another than the one that
// answered when the connection was made: a pooler has numbers of its own.
func behindPooler(ctx context.Context, c *pgx.Conn) (bool, error) {
	var pid uint32
	err := c.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return err == nil && pid != c.PgConn().PID(), err
}

// beforeConnect prepares a connection for a pooler unless there is none.
func (q *Queue) beforeConnect(_ context.Context, c *pgx.ConnConfig) error {
	if q.pooled.Load() && c.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// afterConnect refuses a connection while the server isn't ready for use, and
// notices a pooler.
func (q *Queue) afterConnect(ctx context.Context, c *pgx.Conn) error {
	if !q.reached.Load() && ctx.Value(preparing{}) == nil {
		return errAway
	}
	pooled, err := behindPooler(ctx, c)
	if err != nil || !pooled || q.pooled.Load() {
		return err
	}
	q.pooled.Store(true)
	q.o.Logger.Info("the queue's PostgreSQL is behind a pooler: statements aren't prepared, and replicas hear of one another within a second instead of at once")
	return errPooler
}
