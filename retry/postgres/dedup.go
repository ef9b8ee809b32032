package postgres

import (
	"context"
	"fmt"
	"postern/retry/engine"
	"time"

	"github.com/jackc/pgx/v5"
)

// Delivered implements retry.Dedup. It asks the server each time: another replica
// may have answered the sender's last try.
func (q *Queue) Delivered(ctx context.Context, key string) ([]string, error) {
	rows, err := q.pool.Query(ctx, "SELECT id FROM postern.taken WHERE key = $1 AND expires_ms > $2 ORDER BY id", key, engine.Millis(q.now()))
	if err != nil {
		return nil, fmt.Errorf("reading who took the message: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading who took the message: %w", err)
	}
	return ids, nil
}

// Remember implements retry.Dedup.
func (q *Queue) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	return q.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO postern.taken (key, id, expires_ms) SELECT DISTINCT $1, x, $3::bigint FROM unnest($2::text[]) x ORDER BY x
			ON CONFLICT (key, id) DO UPDATE SET expires_ms = excluded.expires_ms`, key, ids, engine.Millis(q.now().Add(d)))
		return err
	})
}

// Forget implements retry.Dedup.
func (q *Queue) Forget(ctx context.Context, key string) error {
	return q.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM postern.taken WHERE key = $1", key)
		return err
	})
}
