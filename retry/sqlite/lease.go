package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

// Lease implements retry.Queue.
func (q *Queue) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	if q.idle(ctx) {
		return nil, q.fatal.get()
	}
	var held []string
	if req.Expired {
		var err error
		if held, err = q.heldExpired(ctx, req); err != nil || len(held) == 0 {
			return nil, err
		}
	}
	var out []retry.Lease
	// A lease that a power cut takes back was never acted upon by a program
	// that survived: it needs no fsync.
	err := q.w.do(ctx, false, 0, func(ctx context.Context, t *tx) error {
		out = out[:0]
		picked, err := q.pick(ctx, t, req, held)
		if err != nil {
			return err
		}
		until := engine.LeaseEnd(q.now(), req.TTL)
		for octets := int64(0); len(picked) > 0 && (req.Octets <= 0 || octets < req.Octets); picked = picked[1:] {
			l, err := q.leaseRow(ctx, t, picked[0], until)
			if err != nil {
				return err
			}
			out = append(out, l)
			octets += l.Size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// idle says, from the account in memory, that nothing alive is stored.
func (q *Queue) idle(context.Context) bool {
	return q.usage.Get().Idle() && q.fatal.get() == nil
}

// held lists the endpoints that nobody can ask now.
func (q *Queue) held(ctx context.Context, req retry.LeaseRequest) ([]string, error) {
	states, err := q.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	return engine.Held(states, req), nil
}

// openSQL finds deliveries that wait, by when they pass their end; heldSQL those of
// some endpoints.
// The index is named: by the endpoints' own every round would read all that waits
// for one that is dead.
const (
	openSQL = "FROM delivery INDEXED BY delivery_expiry WHERE state < 2 AND state = 0 AND expires_ms > ?"
	heldSQL = openSQL + " AND endpoint IN (SELECT value FROM json_each(?))"
)

// since is when a delivery must have passed its end, or later.
func (q *Queue) since(req retry.LeaseRequest) int64 {
	if req.Since <= 0 {
		return math.MinInt64
	}
	return engine.Millis(q.now().Add(-req.Since))
}

// heldArgs are heldSQL's.
func (q *Queue) heldArgs(req retry.LeaseRequest, held []string) []any {
	names, _ := json.Marshal(held) // strings always marshal
	return []any{q.since(req), string(names)}
}

// heldExpired lists the endpoints that nobody can ask now, where deliveries of
// theirs have passed their end. Each round of a worker wants to know, and there is
// seldom one: so the endpoints are listed only where any delivery at all has.
func (q *Queue) heldExpired(ctx context.Context, req retry.LeaseRequest) ([]string, error) {
	if some, err := q.anyExpired(ctx, openSQL, q.since(req)); err != nil || !some {
		return nil, err
	}
	held, err := q.held(ctx, req)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	some, err := q.anyExpired(ctx, heldSQL, q.heldArgs(req, held)...)
	if err != nil || !some {
		return nil, err
	}
	return held, nil
}

// anyExpired looks before the writer is asked. A lease that ran out may be one.
func (q *Queue) anyExpired(ctx context.Context, of string, args ...any) (some bool, err error) {
	now := engine.Millis(q.now())
	err = q.often.queryRow(ctx, "SELECT EXISTS (SELECT 1 "+of+" AND expires_ms <= ?) OR EXISTS (SELECT 1 FROM delivery WHERE state = 1 AND lease_until_ms <= ?)",
		append(args, now, now)...).Scan(&some)
	return some, err
}

// pick chooses the rows to lease.
func (q *Queue) pick(ctx context.Context, t *tx, req retry.LeaseRequest, held []string) ([]int64, error) {
	if err := q.endLeases(ctx, t); err != nil {
		return nil, err
	}
	now := engine.Millis(q.now())
	if req.Expired {
		return t.ints(ctx, "SELECT n "+heldSQL+" AND expires_ms <= ? ORDER BY expires_ms LIMIT ?", append(q.heldArgs(req, held), now, req.Max)...)
	}
	names, err := t.strings(ctx, `SELECT name FROM endpoint WHERE (paused = 0 OR (until_ms > 0 AND until_ms <= ?1))
		AND EXISTS (SELECT 1 FROM delivery WHERE endpoint = name AND state = 0 AND due_ms <= ?1) ORDER BY name`, now)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	var queues [][]int64
	q.turn++
	for i := range names {
		name := names[(i+q.turn)%len(names)]
		n := req.Max
		if req.Room != nil {
			n = min(n, req.Room(name))
		}
		if n <= 0 {
			continue
		}
		due, err := t.ints(ctx, "SELECT n FROM delivery WHERE endpoint = ? AND state = 0 AND due_ms <= ? ORDER BY due_ms, n LIMIT ?", name, now, n)
		if err != nil {
			return nil, err
		}
		if len(due) > 0 {
			queues = append(queues, due)
		}
	}
	return interleave(queues, req.Max), nil
}

// interleave takes one of each queue in turn.
func interleave(queues [][]int64, limit int) []int64 {
	var out []int64
	for round := 0; len(out) < limit; round++ {
		before := len(out)
		for _, rows := range queues {
			if round < len(rows) && len(out) < limit {
				out = append(out, rows[round])
			}
		}
		if len(out) == before {
			break
		}
	}
	return out
}

// endLeases gives back what ran out. A lease that seems to last longer than
// any that was given was made before the clock was set back.
func (q *Queue) endLeases(ctx context.Context, t *tx) error {
	now := q.now()
	err := t.exec(ctx, "UPDATE delivery SET "+engine.Lapse+" WHERE state = 1 AND lease_until_ms <= ?", engine.Millis(now))
	if err != nil {
		return err
	}
	limit := engine.Millis(now.Add(retry.MaxLease))
	return t.exec(ctx, "UPDATE delivery SET lease_until_ms = ? WHERE state = 1 AND lease_until_ms > ?", limit, limit)
}

// leaseRow leases a row. A leased one has the mark of engine.Lapse still, for the
// statement that reads it.
func (q *Queue) leaseRow(ctx context.Context, t *tx, n int64, until time.Time) (retry.Lease, error) {
	err := t.exec(ctx, "UPDATE OR FAIL delivery SET leased_from = CASE state WHEN 2 THEN 2 ELSE leased_from = 1 END, state = 1, lease_until_ms = ?, token = token + 1 WHERE n = ?", engine.Millis(until), n)
	if err != nil {
		return retry.Lease{}, err
	}
	var r engine.LeaseRow
	var file sql.NullString
	var lapsed bool
	err = t.queryRow(ctx, "SELECT "+engine.LeaseColumns+", m.file, d.leased_from = 1 FROM delivery d JOIN message m ON m.n = d.message WHERE d.n = ?", n).Scan(append(r.Dest(), &file, &lapsed)...)
	if err != nil {
		return retry.Lease{}, err
	}
	l := r.Lease(q.now())
	l.Lapsed = lapsed
	l.Body = storedRef(r.Message, l.Size, r.SHA256, file)
	return l, nil
}

func storedRef(n, size int64, sha []byte, file sql.NullString) retry.BodyRef {
	if file.Valid {
		return engine.Ref(file.String, size, sha)
	}
	return engine.Ref(rowID(n), size, sha)
}

// LeaseID implements retry.Queue.
func (q *Queue) LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error) {
	var l retry.Lease
	err := q.w.do(ctx, false, 0, func(ctx context.Context, t *tx) error {
		if err := q.endLeases(ctx, t); err != nil {
			return err
		}
		var n int64
		var state int
		err := t.queryRow(ctx, "SELECT n, state FROM delivery WHERE id = ?", id).Scan(&n, &state)
		if errors.Is(err, sql.ErrNoRows) {
			return errGone
		}
		if err != nil {
			return err
		}
		if state == engine.StateLeased {
			return errTaken
		}
		l, err = q.leaseRow(ctx, t, n, engine.LeaseEnd(q.now(), ttl))
		return err
	})
	if err != nil {
		return retry.Lease{}, err
	}
	return l, nil
}

// Extend implements retry.Queue.
func (q *Queue) Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error {
	return q.w.do(ctx, false, 0, func(ctx context.Context, t *tx) error {
		return held(t.execN(ctx, "UPDATE delivery SET state = 1, lease_until_ms = ? WHERE id = ? AND token = ?", engine.Millis(engine.LeaseEnd(q.now(), ttl)), l.ID, l.Token))
	})
}

// held turns "no row" into the loss of the lease.
func held(n int64, err error) error {
	if err == nil && n == 0 {
		return retry.ErrLeaseLost
	}
	return err
}
