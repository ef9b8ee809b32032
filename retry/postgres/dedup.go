package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry/engine"
)

// Delivered implements retry.Dedup. It asks the server each time, what is asked at
// the same time in one round trip: another replica may have answered the sender's
// last try.
func (q *Queue) Delivered(ctx context.Context, key string) ([]string, error) {
	a := &asking{key: key}
	if err := q.asks.Do(ctx, a, int64(len(key))); err != nil {
		return nil, fmt.Errorf("reading who took the message: %w", err)
	}
	return a.ids, nil
}

// asking is a message's dedup records that are wanted.
type asking struct {
	key string
	ids []string
}

// askTogether reads dedup records in one round trip.
func (q *Queue) askTogether(ctx context.Context, batch []*op[*asking]) {
	keys, found := make([]string, len(batch)), map[string][]string{}
	for i, o := range batch {
		keys[i] = o.It.key
	}
	p := q.begin(relaxed)
	p.query(func(r pgx.Rows) error {
		var key, id string
		_, err := pgx.ForEachRow(r, []any{&key, &id}, func() error { found[key] = append(found[key], id); return nil })
		return err
	}, "SELECT key, id FROM postern.taken WHERE key = ANY($1) AND expires_ms > $2", keys, engine.Millis(q.now()))
	err := q.send(ctx, p)
	for _, o := range batch {
		o.It.ids, o.Err = slices.Sorted(slices.Values(found[o.It.key])), err
	}
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
