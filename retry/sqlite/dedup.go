package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/retry/engine"
)

// Delivered implements retry.Dedup; a key without records costs no query.
func (q *Queue) Delivered(ctx context.Context, key string) ([]string, error) {
	if !q.dedupKeys.has(key) {
		return nil, nil
	}
	rows, err := q.often.query(ctx, "SELECT id FROM taken WHERE key = ? AND expires_ms > ? ORDER BY id", key, engine.Millis(q.now()))
	if err != nil {
		return nil, fmt.Errorf("reading who took the message: %w", err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading who took the message: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// Remember implements retry.Dedup.
func (q *Queue) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	return q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		expires := q.now().Add(d)
		for _, id := range ids {
			err := t.exec(ctx, "INSERT INTO taken (key, id, expires_ms) VALUES (?,?,?) ON CONFLICT (key, id) DO UPDATE SET expires_ms = excluded.expires_ms", key, id, engine.Millis(expires))
			if err != nil {
				return err
			}
		}
		t.onCommit(func() { q.dedupKeys.add(key) })
		return nil
	})
}

// Forget implements retry.Dedup; a key without records costs nothing.
func (q *Queue) Forget(ctx context.Context, key string) error {
	if !q.dedupKeys.has(key) {
		return nil
	}
	return q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		t.onCommit(func() { q.dedupKeys.drop(key) })
		return t.exec(ctx, "DELETE FROM taken WHERE key = ?", key)
	})
}

// Meta implements retry.Meta.
func (q *Queue) Meta(ctx context.Context, key string) ([]byte, error) {
	var v []byte
	err := q.read.QueryRowContext(ctx, "SELECT v FROM meta WHERE k = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return v, err
}

// PutMeta implements retry.Meta.
func (q *Queue) PutMeta(ctx context.Context, key string, value []byte) (stored []byte, err error) {
	err = q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		if err := t.exec(ctx, "INSERT INTO meta (k, v) VALUES (?,?) ON CONFLICT DO NOTHING", key, nonNil(value)); err != nil {
			return err
		}
		return t.queryRow(ctx, "SELECT v FROM meta WHERE k = ?", key).Scan(&stored)
	})
	return stored, err
}
