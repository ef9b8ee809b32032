package postgres

import (
	"bytes"
	"context"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

// housekeep hears of others' changes and tidies up what time has overtaken,
// until ctx ends. The server may be away meanwhile; the first success after
// that says nothing.
func (q *Queue) housekeep(ctx context.Context) {
	look, tidy := time.NewTicker(pulseEvery), time.NewTicker(tidyEvery)
	defer look.Stop()
	defer tidy.Stop()
	var last []byte
	q.awaitServer(ctx, look.C)
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			last = q.look(ctx, last)
		case now := <-tidy.C:
			q.locals.Expire(now)
			if err := q.tidy(ctx); err != nil && ctx.Err() == nil {
				q.o.Logger.Warn("tidying the queue failed", "err", err)
			}
		}
	}
}

// awaitServer tries a server that was away at Open until it is ready.
func (q *Queue) awaitServer(ctx context.Context, again <-chan time.Time) {
	for said := ""; !q.reached.Load(); {
		select {
		case <-ctx.Done():
			return
		case <-again:
		}
		try, cancel := context.WithTimeout(ctx, firstTry)
		err := q.prepare(try)
		cancel()
		switch {
		case err == nil:
			q.o.Logger.Info("the queue's PostgreSQL is reached: mail can wait now")
		case ctx.Err() == nil && !away(err) && err.Error() != said:
			said = err.Error()
			q.o.Logger.Error("the queue's PostgreSQL can't be used", "err", err)
		}
	}
}

// look reads the account and hints when an operator or the first mail after
// quiet calls for work.
func (q *Queue) look(ctx context.Context, last []byte) []byte {
	wasIdle := q.idle()
	if q.readUsage(ctx) != nil { // the worker reports a server that is away
		return last
	}
	now, err := q.Meta(ctx, pulse)
	if err != nil {
		return last
	}
	if !bytes.Equal(now, last) {
		q.endpoints.forget()
		q.ahead.revoke()
	}
	if !bytes.Equal(now, last) || wasIdle && !q.idle() {
		q.hint()
	}
	return now
}

// tidy removes what is kept no longer, and holds due times within reach after
// the clock was set back.
func (q *Queue) tidy(ctx context.Context) error {
	if err := q.readClock(ctx); err != nil {
		return err
	}
	now := q.now()
	limit := engine.Millis(now.Add(retry.MaxAfter))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM postern.message WHERE n IN (SELECT n FROM postern.message WHERE live = 0 AND dead = 0 AND keep_ms <= $1 ORDER BY n LIMIT 1000 FOR UPDATE SKIP LOCKED)", []any{engine.Millis(now)}},
		{"DELETE FROM postern.taken WHERE (key, id) IN (SELECT key, id FROM postern.taken WHERE expires_ms <= $1 LIMIT 10000 FOR UPDATE SKIP LOCKED)", []any{engine.Millis(now)}},
		{`UPDATE postern.delivery SET due_ms = $1 WHERE n IN (SELECT x.n FROM postern.endpoint e, LATERAL (
			SELECT n FROM postern.delivery WHERE endpoint = e.name AND state = 0 AND due_ms > $1) x)`, []any{limit}},
	} {
		if _, err := q.pool.Exec(ctx, s.sql, s.args...); err != nil {
			return err
		}
	}
	return q.readUsage(ctx)
}
