package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

var conditions = engine.Conditions{
	IDs:       "d.id IN (SELECT value FROM json_each(@ids))",
	Prefix:    "d.id >= @prefix AND d.id < @prefix || char(1114111)", // by the ids' index
	Recipient: "EXISTS (SELECT 1 FROM json_each(d.recipients) WHERE value = @recipient COLLATE NOCASE)",
}

// where turns a filter into a condition on delivery d and message m, and more
// arguments of the query.
func where(f retry.Filter, now time.Time, more map[string]any) (string, []any) {
	cond, args := conditions.Where(f, now, func(ids []string) any {
		list, _ := json.Marshal(ids) // strings always marshal
		return string(list)
	})
	var named []any
	for name, v := range engine.With(args, more) {
		named = append(named, sql.Named(name, v))
	}
	return cond, named
}

// List implements retry.Operator; the oldest stored come first.
func (q *Queue) List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error) {
	at, err := engine.PlaceOf(page)
	if err != nil {
		return nil, retry.Page{}, err
	}
	fail := func(err error) ([]retry.Info, retry.Page, error) {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	cond, args := where(f, q.now(), map[string]any{"after": at.After, "limit": at.Size + 1})
	rows, err := q.read.QueryContext(ctx, "SELECT "+engine.InfoColumns+" FROM delivery d JOIN message m ON m.n = d.message WHERE d.n > @after AND "+cond+" ORDER BY d.n LIMIT @limit", args...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	var found []engine.Row
	for rows.Next() {
		var r engine.Row
		if err := rows.Scan(r.Dest()...); err != nil {
			return fail(err)
		}
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	out, next := at.Page(found, q.now())
	return out, next, nil
}

// Get implements retry.Operator.
func (q *Queue) Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	var r engine.Row
	err := q.read.QueryRowContext(ctx, "SELECT "+engine.InfoColumns+" FROM delivery d JOIN message m ON m.n = d.message WHERE d.id = ?", id).Scan(r.Dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return retry.Info{}, nil, fmt.Errorf("%w: %s", retry.ErrNotFound, id)
	}
	fail := func(err error) (retry.Info, []retry.PastAttempt, error) {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	if err != nil {
		return fail(err)
	}
	rows, err := q.read.QueryContext(ctx, "SELECT "+engine.AttemptColumns+" FROM attempt WHERE delivery = ? ORDER BY n", r.N)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	var attempts []retry.PastAttempt
	for rows.Next() {
		var a engine.AttemptRow
		if err := rows.Scan(a.Dest()...); err != nil {
			return fail(err)
		}
		attempts = append(attempts, a.Attempt())
	}
	return r.Info(q.now()), attempts, rows.Err()
}

// OpenMessage implements retry.Queue.
func (q *Queue) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	var (
		m                    retry.Message
		n, received, expires int64
		size                 int64
		sha                  []byte
		file                 sql.NullString
	)
	err := q.read.QueryRowContext(ctx, `SELECT n, id, key, received_ms, expires_ms, sender, subject, size, sha256, file, envelope
		FROM message WHERE id = ?`, id).Scan(&n, &m.ID, &m.Key, &received, &expires, &m.From, &m.Subject, &size, &sha, &file, &m.Envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil, fmt.Errorf("%w: message %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return m, nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	m.Received, m.Life = engine.FromMillis(received), time.Duration(expires-received)*time.Millisecond
	m.Body = storedRef(n, size, sha, file)
	body, err := q.Open(ctx, m.Body)
	return m, body, err
}
