package postgres

import (
	"context"
	"errors"
	"fmt"
	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
	"time"

	"github.com/jackc/pgx/v5"
)

// Ack implements retry.Queue.
func (q *Queue) Ack(ctx context.Context, l retry.Lease, _ retry.Attempt) error {
	return q.tx(ctx, func(tx pgx.Tx) error {
		var message int64
		err := tx.QueryRow(ctx, "DELETE FROM postern.delivery WHERE id = $1 AND token = $2 RETURNING message", l.ID, l.Token).Scan(&message)
		if errors.Is(err, pgx.ErrNoRows) {
			return retry.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		return q.dropMessage(ctx, tx, message)
	})
}

// Retry implements retry.Queue.
func (q *Queue) Retry(ctx context.Context, l retry.Lease, wait time.Duration, a retry.Attempt) error {
	return q.settle(ctx, l, "state = 0, due_ms = @due", pgx.NamedArgs{"due": engine.Millis(q.now().Add(wait))}, engine.Made(a))
}

// Dead implements retry.Queue.
func (q *Queue) Dead(ctx context.Context, l retry.Lease, why string, a retry.Attempt) error {
	return q.settle(ctx, l, "state = 2, reason = @why", pgx.NamedArgs{"why": valid(why)}, engine.Made(a))
}

// Release implements retry.Queue.
func (q *Queue) Release(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	return q.settle(ctx, l, "state = leased_from", pgx.NamedArgs{}, engine.Made(a))
}

// settle ends a lease and writes the attempt down, if there was one. The token
// alone decides: an outcome that comes after the lease ran out, but before
// anybody else took the delivery, is still the truth.
func (q *Queue) settle(ctx context.Context, l retry.Lease, set string, args pgx.NamedArgs, a *retry.Attempt) error {
	set += ", lease_until_ms = 0, token = token + 1"
	if a != nil {
		set += ", attempts = attempts + 1, last_status = @status, last_error = @error"
		args["status"], args["error"] = a.Status, valid(text.Clip(a.Error, engine.ErrorMax))
	}
	args["id"], args["token"] = l.ID, l.Token
	return q.tx(ctx, func(tx pgx.Tx) error {
		var n int64
		var attempts int
		err := tx.QueryRow(ctx, "UPDATE postern.delivery SET "+set+" WHERE id = @id AND token = @token RETURNING n, attempts", args).Scan(&n, &attempts)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return retry.ErrLeaseLost
		case err != nil || a == nil:
			return err
		}
		return recordAttempt(ctx, tx, n, attempts, *a)
	})
}

// Split implements retry.Leases. The lease's own row goes last: its attempts
// are the parts' as well.
func (q *Queue) Split(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	err := q.tx(ctx, func(tx pgx.Tx) error {
		var n, message int64
		p := engine.Past{}
		// Its id is free for a part.
		err := tx.QueryRow(ctx, "UPDATE postern.delivery SET id = id || ' split' WHERE id = $1 AND token = $2 RETURNING n, message, expires_ms, attempts, base", l.ID, l.Token).
			Scan(&n, &message, &p.Expires, &p.Attempts, &p.Base)
		if errors.Is(err, pgx.ErrNoRows) {
			return retry.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		p.History = n
		live, dead, err := q.deliverAll(ctx, tx, message, parts, p)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE postern.message SET live = live + $2, dead = dead + $3 WHERE n = $1", message, live, dead); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM postern.delivery WHERE n = $1", n); err != nil {
			return err
		}
		return q.dropMessage(ctx, tx, message)
	})
	if err != nil {
		return fmt.Errorf("splitting %s: %w", l.ID, err)
	}
	q.hint()
	return nil
}
