package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/queuetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	dsn := shared.Database(t)
	factory := func(t *testing.T, c *queuetest.Clock, b queuetest.Bounds) retry.Queue {
		execute(t, dsn, "DROP SCHEMA IF EXISTS postern CASCADE")
		return tidied{open(t, dsn, Options{Now: c.Now, MaxBytes: b.Bytes, MaxMessages: b.Messages, Conns: 8})}
	}
	queuetest.Run(t, factory)
}

// tidied lets the suite tidy up at once.
type tidied struct{ *Queue }

func (q tidied) Tidy() { _ = q.tidy(context.Background()) }

func open(t testing.TB, dsn string, o Options) *Queue {
	t.Helper()
	q, err := Open(context.Background(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// execute runs a statement beside the queue.
func execute(t testing.TB, dsn, sql string) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}
