// Package tables is a side store's own tables in the database of the queue: history
// and delivered mail that is kept. Nobody waits for such a store, so it connects
// when it is needed first, a database that is away is an error within the caller's
// time, and the tables are made by whoever comes first, once for all replicas.
package tables

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conns is how many connections a store takes: its writer's and a reader's.
const conns = 2

// DB is a pool of connections to the database; Prepare comes before the first use.
type DB struct {
	*pgxpool.Pool
	schema  string
	missing chan struct{} // holds a token until the tables are there, then is closed
}

// Open returns the tables that schema makes in the database that dsn names. Of its
// statements each may come twice; they run in one transaction.
func Open(ctx context.Context, dsn, schema string) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the address isn't one of PostgreSQL's (postgres://user:password@host/database)") // the error repeats the password
	}
	cfg.MaxConns, cfg.MinConns = conns, 0
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement { // a prepared statement is gone behind a pooler
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	d := &DB{Pool: pool, schema: schema, missing: make(chan struct{}, 1)}
	d.missing <- struct{}{}
	return d, nil
}

// Prepare makes the tables where nobody has. One does, the others wait for it.
func (d *DB) Prepare(ctx context.Context) error {
	select {
	case _, missing := <-d.missing:
		if !missing {
			return nil
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, d.schema)
		return err
	})
	if err != nil {
		d.missing <- struct{}{}
		return fmt.Errorf("making its tables: %w", err)
	}
	close(d.missing)
	return nil
}
