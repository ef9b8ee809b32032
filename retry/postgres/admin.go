package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/text"
	"postern/retry"
	"postern/retry/engine"
)

// bulk is how many rows one transaction of Replay or Delete touches.
const bulk = 500

// pulse is the meta key that tells replicas of an operator's change.
const pulse = "pulse"

// Replay implements retry.Queue.
func (q *Queue) Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	f.State = retry.Dead
	due := q.now().Add(wait)
	return q.each(ctx, f, "replaying", func(tx pgx.Tx, n int64) error {
		var id, endpoint, recipients string
		if err := tx.QueryRow(ctx, "SELECT id, endpoint, recipients FROM postern.delivery WHERE n = $1", n).Scan(&id, &endpoint, &recipients); err != nil {
			return err
		}
		if to != "" {
			endpoint = to
			if err := q.nameEndpoint(ctx, tx, to); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE postern.delivery d SET state = 0, leased_from = 0, due_ms = $2, base = attempts, reason = '', lease_until_ms = 0,
			token = token + 1, endpoint = $3, sum = $4, expires_ms = $2 + greatest(m.expires_ms - m.received_ms, 0)
			FROM postern.message m WHERE d.n = $1 AND m.n = d.message`, n, engine.Millis(due), endpoint, engine.SealDelivery(id, endpoint, recipients))
		return err
	})
}

// RetryNow implements retry.Operator.
func (q *Queue) RetryNow(ctx context.Context, f retry.Filter, spread time.Duration) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	f.State = retry.Due
	return q.each(ctx, f, "making due", func(tx pgx.Tx, n int64) error {
		due := q.now().Add(rand.N(spread + 1))
		_, err := tx.Exec(ctx, "UPDATE postern.delivery SET due_ms = least(due_ms, $2) WHERE n = $1", n, engine.Millis(due))
		return err
	})
}

// Delete implements retry.Queue.
func (q *Queue) Delete(ctx context.Context, f retry.Filter) (int, error) {
	if err := engine.Needed(f); err != nil {
		return 0, err
	}
	return q.each(ctx, f, "deleting", func(tx pgx.Tx, n int64) error {
		var message int64
		if err := tx.QueryRow(ctx, "DELETE FROM postern.delivery WHERE n = $1 RETURNING message", n).Scan(&message); err != nil {
			return err
		}
		return q.dropMessage(ctx, tx, message)
	})
}

// each does something to every delivery that the filter selects and nobody
// has leased, a few hundred to a transaction, in the order of their numbers.
func (q *Queue) each(ctx context.Context, f retry.Filter, what string, do func(pgx.Tx, int64) error) (int, error) {
	p := q.begin(relaxed)
	q.endLeases(p)
	if err := q.send(ctx, p); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	total, last := 0, int64(0)
	for {
		var rows []int64
		err := q.tx(ctx, func(tx pgx.Tx) error {
			cond, args := where(f, q.now(), map[string]any{"last": last, "bulk": bulk})
			r, err := tx.Query(ctx, "SELECT d.n FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.state <> 1 AND d.n > @last AND "+
				cond+" ORDER BY d.n LIMIT @bulk FOR UPDATE OF d", args)
			if err != nil {
				return err
			}
			if rows, err = pgx.CollectRows(r, pgx.RowTo[int64]); err != nil {
				return err
			}
			for _, n := range rows {
				if err := do(tx, n); err != nil {
					return err
				}
			}
			return q.touch(ctx, tx)
		})
		if err != nil {
			return total, fmt.Errorf("%s: %w", what, err)
		}
		total += len(rows)
		if len(rows) < bulk {
			q.hintAll()
			return total, q.readUsage(ctx)
		}
		last = rows[len(rows)-1]
	}
}

// touch tells the replicas to look.
func (q *Queue) touch(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO postern.meta (k, v) VALUES ($1, convert_to(clock_timestamp()::text, 'UTF8'))
		ON CONFLICT (k) DO UPDATE SET v = excluded.v`, pulse)
	return err
}

// Pause implements retry.Queue.
func (q *Queue) Pause(ctx context.Context, endpoint string, d time.Duration, why string) error {
	return q.setEndpoint(ctx, endpoint, "paused = true, until_ms = $2, why = $3", engine.Until(q.now(), d), valid(text.Clip(why, 200)))
}

// Resume implements retry.Queue.
func (q *Queue) Resume(ctx context.Context, endpoint string) error {
	return q.setEndpoint(ctx, endpoint, "paused = false, until_ms = 0, why = '', resumes = resumes + 1")
}

// SaveBreaker implements retry.Queue; of replicas the last to write wins.
func (q *Queue) SaveBreaker(ctx context.Context, endpoint string, state []byte) error {
	return q.setEndpoint(ctx, endpoint, "breaker = $2", state)
}

func (q *Queue) setEndpoint(ctx context.Context, endpoint, set string, args ...any) error {
	err := q.tx(ctx, func(tx pgx.Tx) error {
		if err := q.nameEndpoint(ctx, tx, endpoint); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE postern.endpoint SET "+set+" WHERE name = $1", append([]any{endpoint}, args...)...); err != nil {
			return err
		}
		return q.touch(ctx, tx)
	})
	if err == nil {
		q.endpoints.forget()
		q.ahead.revoke()
		q.hintAll()
	}
	return err
}

// Waiting implements retry.Endpoints.
func (q *Queue) Waiting(ctx context.Context, endpoint string, most int64) (w retry.Waiting, err error) {
	limit := &most
	if most <= 0 {
		limit = nil
	}
	err = q.pool.QueryRow(ctx, `SELECT count(*), coalesce(sum(size), 0)::bigint FROM (
		SELECT m.size FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.endpoint = $1 AND d.state = 0
		UNION ALL SELECT m.size FROM postern.delivery d JOIN postern.message m ON m.n = d.message WHERE d.endpoint = $1 AND d.state = 1 LIMIT $2) x`, endpoint, limit).Scan(&w.Deliveries, &w.Bytes)
	if err != nil {
		return w, fmt.Errorf("counting what waits for %s: %w", endpoint, err)
	}
	return w, nil
}

// Meta implements retry.Queue.
func (q *Queue) Meta(ctx context.Context, key string) ([]byte, error) {
	var v []byte
	err := q.pool.QueryRow(ctx, "SELECT v FROM postern.meta WHERE k = $1", key).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return v, err
}

// PutMeta implements retry.Meta. Its second question sees what another replica
// has just put there.
func (q *Queue) PutMeta(ctx context.Context, key string, value []byte) ([]byte, error) {
	if value == nil {
		value = []byte{}
	}
	err := q.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO postern.meta (k, v) VALUES ($1, $2) ON CONFLICT DO NOTHING", key, value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.Meta(ctx, key)
}
