package sqlite

import (
	"context"
	"database/sql"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

// StopAhead implements retry.Leases: nothing is leased ahead here.
func (q *Queue) StopAhead(context.Context) {}

// NextDue implements retry.Leases.
func (q *Queue) NextDue(ctx context.Context, req retry.LeaseRequest) (time.Duration, bool, error) {
	if q.idle(ctx) {
		return 0, false, q.fatal.get()
	}
	var lease, expiry sql.NullInt64
	err := q.often.queryRow(ctx, "SELECT (SELECT min(lease_until_ms) FROM delivery WHERE state = 1), (SELECT expires_ms "+openSQL+" ORDER BY expires_ms LIMIT 1)",
		q.since(req)).Scan(&lease, &expiry)
	if err != nil {
		return 0, false, err
	}
	next, err := q.firstDue(ctx, req)
	if err != nil {
		return 0, false, err
	}
	next = sooner(next, lease)
	if sooner(next, expiry) != next { // only of endpoints that are held is an end an event
		if expiry, err = q.firstExpiry(ctx, req); err != nil {
			return 0, false, err
		}
		next = sooner(next, expiry)
	}
	return engine.FromMillis(next.Int64).Sub(q.now()), next.Valid, nil
}

func sooner(a, b sql.NullInt64) sql.NullInt64 {
	if !a.Valid || b.Valid && b.Int64 < a.Int64 {
		return b
	}
	return a
}

// firstExpiry is when the first delivery of the endpoints that nobody can ask now
// passes its end.
func (q *Queue) firstExpiry(ctx context.Context, req retry.LeaseRequest) (at sql.NullInt64, err error) {
	held, err := q.held(ctx, req)
	if err != nil || len(held) == 0 {
		return at, err
	}
	err = q.often.queryRow(ctx, "SELECT (SELECT expires_ms "+heldSQL+" ORDER BY expires_ms LIMIT 1)", q.heldArgs(req, held)...).Scan(&at)
	return at, err
}

// firstDue is when the first delivery is due, or the first pause ends, of the
// endpoints that have room.
func (q *Queue) firstDue(ctx context.Context, req retry.LeaseRequest) (due sql.NullInt64, err error) {
	rows, err := q.often.query(ctx, `SELECT name, CASE WHEN paused AND (until_ms = 0 OR until_ms > ?) THEN nullif(until_ms, 0)
		ELSE (SELECT min(due_ms) FROM delivery WHERE endpoint = name AND state = 0) END AS due FROM endpoint
		ORDER BY due NULLS LAST`, engine.Millis(q.now()))
	if err != nil {
		return due, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name, &due); err != nil {
			return due, err
		}
		if !due.Valid || req.Room == nil || req.Room(name) > 0 {
			return due, nil
		}
	}
	return sql.NullInt64{}, rows.Err()
}
