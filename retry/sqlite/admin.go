package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// bulk is how many rows one transaction of Replay or Delete touches, so that
// mail comes in between.
const bulk = 500

// Replay implements retry.Queue.
func (q *Queue) Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	f.State = retry.Dead
	return q.each(ctx, f, "replaying", func(ctx context.Context, t *tx, n int64) error {
		due := q.now().Add(wait)
		var id, endpoint, recipients string
		if err := t.queryRow(ctx, "SELECT id, endpoint, recipients FROM delivery WHERE n = ?", n).Scan(&id, &endpoint, &recipients); err != nil {
			return err
		}
		if to != "" {
			endpoint = to
			if err := q.nameEndpoint(ctx, t, to); err != nil {
				return err
			}
			if err := t.exec(ctx, "UPDATE delivery SET endpoint = ?, sum = ? WHERE n = ?", to, engine.SealDelivery(id, to, recipients), n); err != nil {
				return err
			}
		}
		return t.exec(ctx, `UPDATE delivery SET state = 0, leased_from = 0, due_ms = ?, base = attempts, reason = '', lease_until_ms = 0, token = token + 1,
			expires_ms = ? + (SELECT max(expires_ms - received_ms, 0) FROM message WHERE n = delivery.message) WHERE n = ?`, engine.Millis(due), engine.Millis(due), n)
	})
}

// RetryNow implements retry.Operator.
func (q *Queue) RetryNow(ctx context.Context, f retry.Filter, spread time.Duration) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	f.State = retry.Due
	return q.each(ctx, f, "making due", func(ctx context.Context, t *tx, n int64) error {
		due := q.now().Add(rand.N(spread + 1))
		return t.exec(ctx, "UPDATE delivery SET due_ms = min(due_ms, ?) WHERE n = ?", engine.Millis(due), n)
	})
}

// Delete implements retry.Queue.
func (q *Queue) Delete(ctx context.Context, f retry.Filter) (int, error) {
	return q.each(ctx, f, "deleting", func(ctx context.Context, t *tx, n int64) error {
		var message int64
		if err := t.queryRow(ctx, "DELETE FROM delivery WHERE n = ? RETURNING message", n).Scan(&message); err != nil {
			return err
		}
		return q.dropMessage(ctx, t, message)
	})
}

// each does something to every delivery that the filter selects and nobody
// has leased, a few hundred to a transaction, in the order of their numbers.
func (q *Queue) each(ctx context.Context, f retry.Filter, what string, do func(context.Context, *tx, int64) error) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	total, last := 0, int64(0)
	for {
		var rows []int64
		err := q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
			if err := q.endLeases(ctx, t); err != nil {
				return err
			}
			cond, args := where(f, q.now(), map[string]any{"last": last, "bulk": bulk})
			var err error
			rows, err = column[int64](ctx, t.writer, "SELECT d.n FROM delivery d JOIN message m ON m.n = d.message WHERE d.state <> 1 AND d.n > @last AND "+
				cond+" ORDER BY d.n LIMIT @bulk", args...)
			if err != nil {
				return err
			}
			for _, n := range rows {
				if err := do(ctx, t, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, fmt.Errorf("%s: %w", what, err)
		}
		total += len(rows)
		if len(rows) < bulk {
			q.hint()
			return total, nil
		}
		last = rows[len(rows)-1]
	}
}

// Pause implements retry.Queue.
func (q *Queue) Pause(ctx context.Context, endpoint string, d time.Duration, why string) error {
	return q.setEndpoint(ctx, endpoint, "paused = 1, until_ms = ?, why = ?", engine.Until(q.now(), d), text.Clip(why, 200))
}

// Resume implements retry.Queue.
func (q *Queue) Resume(ctx context.Context, endpoint string) error {
	return q.setEndpoint(ctx, endpoint, "paused = 0, until_ms = 0, why = '', resumes = resumes + 1")
}

// SaveBreaker implements retry.Queue.
func (q *Queue) SaveBreaker(ctx context.Context, endpoint string, state []byte) error {
	return q.setEndpoint(ctx, endpoint, "breaker = ?", state)
}

func (q *Queue) setEndpoint(ctx context.Context, endpoint, set string, args ...any) error {
	err := q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		if err := q.nameEndpoint(ctx, t, endpoint); err != nil {
			return err
		}
		return t.exec(ctx, "UPDATE endpoint SET "+set+" WHERE name = ?", append(args[:len(args):len(args)], endpoint)...)
	})
	if err == nil {
		q.hint()
	}
	return err
}

// Endpoints implements retry.Queue.
func (q *Queue) Endpoints(ctx context.Context) ([]retry.EndpointState, error) {
	rows, err := q.often.query(ctx, "SELECT "+engine.EndpointColumns+" FROM endpoint ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("listing endpoints: %w", err)
	}
	defer rows.Close()
	var out []retry.EndpointState
	for rows.Next() {
		var r engine.EndpointRow
		if err := rows.Scan(r.Dest()...); err != nil {
			return nil, fmt.Errorf("listing endpoints: %w", err)
		}
		out = append(out, r.State(q.now()))
	}
	return out, rows.Err()
}

// Waiting implements retry.Endpoints.
func (q *Queue) Waiting(ctx context.Context, endpoint string, most int64) (w retry.Waiting, err error) {
	if most <= 0 {
		most = -1 // no limit
	}
	err = q.read.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(size), 0) FROM (SELECT m.size FROM delivery d JOIN message m ON m.n = d.message
		WHERE d.endpoint = ? AND d.state < 2 AND d.state IN (0, 1) LIMIT ?)`, endpoint, most).Scan(&w.Deliveries, &w.Bytes)
	if err != nil {
		return w, fmt.Errorf("counting what waits for %s: %w", endpoint, err)
	}
	return w, nil
}

// Stats implements retry.Queue.
func (q *Queue) Stats(ctx context.Context) (retry.Stats, error) {
	s := engine.NewStats(engine.Bounds{MaxBytes: q.o.MaxBytes, MaxMessages: q.o.MaxMessages})
	s.Aside = q.aside()
	var name, reason string
	var state int
	var n int64
	err := q.read.QueryRowContext(ctx, "SELECT bytes, messages FROM usage").Scan(&s.Bytes, &s.Messages)
	if err == nil {
		err = q.eachRow(ctx, "SELECT endpoint, state, count(*) FROM delivery GROUP BY endpoint, state", []any{&name, &state, &n},
			func() { engine.Count(&s, name, state, n) })
	}
	if err == nil {
		err = q.eachRow(ctx, "SELECT endpoint, reason, count(*) FROM delivery WHERE state = 2 GROUP BY endpoint, reason", []any{&name, &reason, &n},
			func() { engine.CountDead(&s, name, reason, n) })
	}
	if err == nil {
		err = q.readOldest(ctx, &s)
	}
	if err != nil {
		return s, fmt.Errorf("counting: %w", err)
	}
	return s, nil
}

// readOldest looks at each endpoint's delivery whose life ends first, and at more of
// them where that lives shorter than others do.
func (q *Queue) readOldest(ctx context.Context, s *retry.Stats) error {
	o := engine.Oldest{Stats: s}
	var name string
	var at, received, life int64
	err := q.eachRow(ctx, "SELECT w.endpoint, w.ends, m.received_ms, m.expires_ms - m.received_ms FROM "+
		"(SELECT endpoint, min(expires_ms) ends, message FROM delivery WHERE state < 2 GROUP BY endpoint) w JOIN message m ON m.n = w.message",
		[]any{&name, &at, &received, &life}, func() { o.First(name, at, received, life) })
	for _, name := range o.Look {
		if err == nil {
			err = q.eachRow(ctx, `SELECT max(m.received_ms, w.ends - (m.expires_ms - m.received_ms)) began, m.received_ms FROM
				(SELECT expires_ms ends, message FROM delivery WHERE endpoint = ? AND state < 2 AND state IN (0, 1) ORDER BY expires_ms LIMIT ?) w
				CROSS JOIN message m ON m.n = w.message ORDER BY began LIMIT 1`, []any{&at, &received}, func() { o.See(name, at, received) }, name, engine.LookShort)
		}
	}
	return err
}

// eachRow scans a question's rows, one after the other.
func (q *Queue) eachRow(ctx context.Context, question string, dest []any, row func(), args ...any) error {
	rows, err := q.read.QueryContext(ctx, question, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		row()
	}
	return rows.Err()
}

// Health implements retry.Queue.
func (q *Queue) Health(context.Context) error {
	if err := q.fatal.get(); err != nil {
		return err
	}
	if err := q.checkPlace(); err != nil {
		return err
	}
	return q.checkDisk(0)
}
