package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// Split implements retry.Leases. As at other ends of a lease the webhook has
// answered already: a server that is away is waited for.
func (q *Queue) Split(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	doubtful := false
	err := patiently(ctx, func() error {
		err := q.splitOnce(ctx, l, parts)
		if errors.Is(err, retry.ErrLeaseLost) && doubtful {
			return q.splitBefore(ctx, l, parts)
		}
		doubtful = doubtful || isInDoubt(err)
		return err
	})
	if err != nil {
		return fmt.Errorf("splitting %s: %w", l.ID, err)
	}
	q.hint()
	return nil
}

// splitOnce puts the parts in the delivery's place. Its own row goes last: its
// attempts are the parts' as well.
func (q *Queue) splitOnce(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	return q.tx(ctx, func(tx pgx.Tx) error {
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
		// A part with the lease's id isn't the lease's.
		if _, err := tx.Exec(ctx, "UPDATE postern.delivery SET token = greatest(token, $2) WHERE id = $1", l.ID, l.Token+1); err != nil {
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
}

// splitBefore says whether a try whose commit was in doubt has split the delivery:
// it is gone, or a part with its id has a token above the lease's.
func (q *Queue) splitBefore(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	var token int64
	err := q.pool.QueryRow(ctx, "SELECT token FROM postern.delivery WHERE id = $1", l.ID).Scan(&token)
	sameID := func(d retry.NewDelivery) bool { return d.ID == l.ID }
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && token > l.Token && slices.ContainsFunc(parts, sameID):
		return nil
	case err != nil:
		return err
	}
	return retry.ErrLeaseLost
}
