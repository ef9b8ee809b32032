package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// Refusals of LeaseID.
var (
	errGone  = fmt.Errorf("leasing: %w", retry.ErrNotFound)
	errTaken = fmt.Errorf("somebody has the delivery: %w", retry.ErrLeaseLost)
)

// Ack implements retry.Queue.
func (q *Queue) Ack(ctx context.Context, l retry.Lease, _ retry.Attempt) error {
	return q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		var n, message int64
		err := t.queryRow(ctx, "SELECT n, message FROM delivery WHERE id = ? AND token = ?", l.ID, l.Token).Scan(&n, &message)
		if errors.Is(err, sql.ErrNoRows) {
			return retry.ErrLeaseLost
		}
		if err == nil {
			err = t.exec(ctx, "DELETE FROM delivery WHERE n = ?", n)
		}
		if err != nil {
			return err
		}
		return q.dropMessage(ctx, t, message)
	})
}

// Retry implements retry.Queue.
func (q *Queue) Retry(ctx context.Context, l retry.Lease, wait time.Duration, a retry.Attempt) error {
	return q.settle(ctx, l, "state = 0, due_ms = ?", []any{engine.Millis(q.now().Add(wait))}, engine.Made(a))
}

// Dead implements retry.Queue.
func (q *Queue) Dead(ctx context.Context, l retry.Lease, why string, a retry.Attempt) error {
	return q.settle(ctx, l, "state = 2, reason = ?", []any{why}, engine.Made(a))
}

// Release implements retry.Queue.
func (q *Queue) Release(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	return q.settle(ctx, l, "state = CASE leased_from WHEN 2 THEN 2 ELSE 0 END", nil, engine.Made(a))
}

// settle ends a lease and writes the attempt down, if there was one. The token
// alone decides: an outcome that comes after the lease ran out, but before
// anybody else took the delivery, is still the truth.
func (q *Queue) settle(ctx context.Context, l retry.Lease, set string, args []any, a *retry.Attempt) error {
	return q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		set, args := set+", leased_from = 0, lease_until_ms = 0, token = token + 1", args
		if a != nil {
			set += ", attempts = attempts + 1, last_status = ?, last_error = ?"
			args = append(args[:len(args):len(args)], a.Status, text.Clip(a.Error, engine.ErrorMax))
		}
		var n int64
		var attempts int
		err := t.queryRow(ctx, "UPDATE delivery SET "+set+" WHERE id = ? AND token = ? RETURNING n, attempts",
			append(args[:len(args):len(args)], l.ID, l.Token)...).Scan(&n, &attempts)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return retry.ErrLeaseLost
		case err != nil || a == nil:
			return err
		}
		return recordAttempt(ctx, t, n, attempts, *a)
	})
}

// Split implements retry.Leases. The lease's own row goes last: its attempts
// are the parts' as well.
func (q *Queue) Split(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	err := q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		var n, message int64
		p := engine.Past{}
		// Its id is free for a part.
		err := t.queryRow(ctx, "UPDATE delivery SET id = id || ' split' WHERE id = ? AND token = ? RETURNING n, message, expires_ms, attempts, base", l.ID, l.Token).
			Scan(&n, &message, &p.Expires, &p.Attempts, &p.Base)
		if errors.Is(err, sql.ErrNoRows) {
			return retry.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		p.History = n
		if err := q.putParts(ctx, t, message, parts, p); err != nil {
			return err
		}
		if err := t.exec(ctx, "DELETE FROM delivery WHERE n = ?", n); err != nil {
			return err
		}
		return q.dropMessage(ctx, t, message)
	})
	if err != nil {
		return fmt.Errorf("splitting %s: %w", l.ID, err)
	}
	q.hint()
	return nil
}

func (q *Queue) putParts(ctx context.Context, t *tx, message int64, parts []retry.NewDelivery, p engine.Past) error {
	fresh, revived, err := q.sort(ctx, t, parts)
	if err != nil {
		return err
	}
	live, dead := engine.CountNew(fresh)
	if err := t.exec(ctx, "UPDATE message SET live = live + ?, dead = dead + ? WHERE n = ?", live, dead, message); err != nil {
		return err
	}
	for _, d := range fresh {
		if err := q.insert(ctx, t, message, d, p); err != nil {
			return err
		}
	}
	for _, r := range revived {
		if err := q.revive(ctx, t, message, r, p); err != nil {
			return err
		}
	}
	return nil
}
