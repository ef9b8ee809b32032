package postgres

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// countShare is the part of the server's time that counting may take, as a divisor:
// a count looks at each delivery's place in an index, and a million take a moment.
const countShare = 20

// statsCache is the last count of deliveries.
type statsCache struct {
	turn  chan struct{} // a token for who counts: who comes meanwhile gets the same
	until time.Time
	stats retry.Stats
}

// Stats implements retry.Queue. Where counting takes its time, the last count is
// told until so much more of it has gone by (countShare); what is stored in all, and
// the oldest, are always the latest.
func (q *Queue) Stats(ctx context.Context) (retry.Stats, error) {
	s, err := q.count(ctx)
	if err == nil {
		err = q.pool.QueryRow(ctx, "SELECT sum(bytes)::bigint, sum(messages)::bigint FROM postern.usage").Scan(&s.Bytes, &s.Messages)
	}
	if err == nil {
		err = q.readOldest(ctx, &s)
	}
	if err != nil {
		return s, fmt.Errorf("counting: %w", err)
	}
	return s, nil
}

// count is what Stats tells of deliveries by state.
func (q *Queue) count(ctx context.Context) (s retry.Stats, err error) {
	c := &q.counted
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return s, ctx.Err()
	}
	if began := time.Now(); !began.Before(c.until) {
		if c.stats, err = q.countAll(ctx); err != nil {
			return c.stats, err
		}
		if took := time.Since(began); took > countQuick {
			c.until = time.Now().Add(took * countShare)
		}
	}
	s = c.stats
	s.Endpoints, s.DeadByReason, s.DeadOf = maps.Clone(s.Endpoints), maps.Clone(s.DeadByReason), maps.Clone(s.DeadOf)
	s.OldestOf = map[string]time.Time{}
	return s, nil
}

// countQuick is how long a count may take that is made anew each time.
const countQuick = 50 * time.Millisecond

// countDeliveries reads what is due and leased from their indexes, and the dead
// letters' rows.
const countDeliveries = `SELECT e.name, 0, '', x.n FROM postern.endpoint e, LATERAL (SELECT count(*) AS n FROM postern.delivery WHERE endpoint = e.name AND state = 0) x WHERE x.n > 0
	UNION ALL SELECT endpoint, 1, '', count(*) FROM postern.delivery WHERE state = 1 GROUP BY endpoint
	UNION ALL SELECT endpoint, 2, reason, count(*) FROM postern.delivery WHERE state = 2 GROUP BY endpoint, reason`

func (q *Queue) countAll(ctx context.Context) (retry.Stats, error) {
	s := engine.NewStats(engine.Bounds{MaxBytes: q.o.MaxBytes, MaxMessages: q.o.MaxMessages})
	p := q.begin(relaxed)
	p.query(func(r pgx.Rows) error {
		var endpoint, reason string
		var state int
		var n int64
		_, err := pgx.ForEachRow(r, []any{&endpoint, &state, &reason, &n}, func() error {
			engine.Count(&s, endpoint, state, n)
			if state == engine.StateDead {
				engine.CountDead(&s, endpoint, reason, n)
			}
			return nil
		})
		return err
	}, countDeliveries)
	return s, q.send(ctx, p)
}

// readOldest looks at each endpoint's delivery whose life ends first, and at more of
// them where that lives shorter than others do.
func (q *Queue) readOldest(ctx context.Context, s *retry.Stats) error {
	o := engine.Oldest{Stats: s}
	var endpoint string
	var at, received, life int64
	rows, err := q.pool.Query(ctx, `SELECT e.name, x.expires_ms, m.received_ms, m.expires_ms - m.received_ms FROM postern.endpoint e, LATERAL (
		SELECT expires_ms, message FROM postern.delivery WHERE endpoint = e.name AND state < 2 ORDER BY expires_ms LIMIT 1) x
		JOIN postern.message m ON m.n = x.message`)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&endpoint, &at, &received, &life}, func() error { o.First(endpoint, at, received, life); return nil })
	}
	if err != nil || len(o.Look) == 0 {
		return err
	}
	rows, err = q.pool.Query(ctx, `SELECT e.name, x.began, x.received_ms FROM unnest($1::text[]) AS e (name), LATERAL (
		SELECT greatest(m.received_ms, w.expires_ms - m.life) AS began, m.received_ms FROM (
			SELECT expires_ms, message FROM postern.delivery WHERE endpoint = e.name AND state < 2 ORDER BY expires_ms LIMIT $2) w, LATERAL (
			SELECT received_ms, expires_ms - received_ms AS life FROM postern.message WHERE n = w.message LIMIT 1) m ORDER BY 1 LIMIT 1) x`, o.Look, engine.LookShort)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&endpoint, &at, &received}, func() error { o.See(endpoint, at, received); return nil })
	}
	return err
}
