package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

var conditions = engine.Conditions{
	IDs:       "d.id = ANY(@ids)",
	Prefix:    "starts_with(d.id, @prefix)",
	Recipient: "EXISTS (SELECT 1 FROM json_array_elements_text(d.recipients::json) r WHERE lower(r) = lower(@recipient))",
}

// where turns a filter into a condition on delivery d and message m, and more
// arguments of the query.
func where(f retry.Filter, now time.Time, more map[string]any) (string, pgx.NamedArgs) {
	cond, args := conditions.Where(f, now, func(ids []string) any { return ids })
	return cond, engine.With(args, more)
}

// List implements retry.Operator; the oldest stored come first.
func (q *Queue) List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error) {
	at, err := engine.PlaceOf(page)
	if err != nil {
		return nil, retry.Page{}, err
	}
	cond, args := where(f, q.now(), map[string]any{"after": at.After, "limit": at.Size + 1})
	rows, err := q.pool.Query(ctx, "SELECT "+engine.InfoColumns+" FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.n > @after AND "+cond+" ORDER BY d.n LIMIT @limit", args)
	if err != nil {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanRow)
	if err != nil {
		return nil, retry.Page{}, fmt.Errorf("listing: %w", err)
	}
	out, next := at.Page(found, q.now())
	return out, next, nil
}

// Get implements retry.Operator.
func (q *Queue) Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	var r engine.Row
	err := q.pool.QueryRow(ctx, "SELECT "+engine.InfoColumns+" FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.id = $1", id).Scan(r.Dest()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return retry.Info{}, nil, fmt.Errorf("%w: %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	rows, err := q.pool.Query(ctx, "SELECT "+engine.AttemptColumns+" FROM postern.attempt WHERE delivery = $1 ORDER BY n", r.N)
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	attempts, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (retry.PastAttempt, error) {
		var a engine.AttemptRow
		err := r.Scan(a.Dest()...)
		return a.Attempt(), err
	})
	if err != nil {
		return retry.Info{}, nil, fmt.Errorf("reading %s: %w", id, err)
	}
	return r.Info(q.now()), attempts, nil
}

// OpenMessage implements retry.Queue.
func (q *Queue) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	var (
		m                          retry.Message
		n, received, expires, size int64
		sha                        []byte
		object                     *string
	)
	err := q.pool.QueryRow(ctx, `SELECT n, id, key, received_ms, expires_ms, sender, subject, size, sha256, envelope, body
		FROM postern.message WHERE id = $1`, id).Scan(&n, &m.ID, &m.Key, &received, &expires, &m.From, &m.Subject, &size, &sha, &m.Envelope, &object)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, nil, fmt.Errorf("%w: message %s", retry.ErrNotFound, id)
	}
	if err != nil {
		return m, nil, fmt.Errorf("reading message %s: %w", id, err)
	}
	m.Received, m.Life = engine.FromMillis(received), time.Duration(expires-received)*time.Millisecond
	m.Body = storedRef(n, size, sha, object)
	body, err := q.Open(ctx, m.Body)
	return m, body, err
}

func scanRow(r pgx.CollectableRow) (row engine.Row, err error) {
	err = r.Scan(row.Dest()...)
	return row, err
}
