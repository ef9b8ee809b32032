package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"postern/retry/engine"
)

// The queue's clock doesn't jump while the program runs. To tell that the
// machine's was set back while it didn't, the time is noted in the store now
// and then.

const clockKey = "clock"

func putClock(ctx context.Context, t *tx, now time.Time) error {
	return t.exec(ctx, "INSERT INTO meta (k, v) VALUES (?,?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", clockKey, strconv.FormatInt(engine.Millis(now), 10))
}

// noteClock notes the time at the end.
func (q *Queue) noteClock(ctx context.Context) {
	if q.fatal.get() == nil {
		_ = q.w.do(ctx, false, 0, func(ctx context.Context, t *tx) error { return putClock(ctx, t, q.now()) })
	}
}

// clockSlack is how much earlier than noted the time may be unnoticed.
const clockSlack = time.Minute

// mendClock takes all times back with the clock where that was set back: what
// waits is due at once, and ends when it would have.
func (q *Queue) mendClock(ctx context.Context) error {
	var noted string
	err := q.w.conn.QueryRowContext(ctx, "SELECT v FROM meta WHERE k = ?", clockKey).Scan(&noted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the time of the last run: %w", err)
	}
	last, err := strconv.ParseInt(noted, 10, 64)
	now := engine.Millis(q.now())
	back := last - now
	if err != nil || back < clockSlack.Milliseconds() {
		return nil
	}
	q.o.Logger.Warn("the machine's clock was set back since the queue was last open: what waits is due now", "back", time.Duration(back)*time.Millisecond)
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE delivery SET due_ms = min(due_ms, ?), expires_ms = expires_ms - ?", []any{now, back}},
		{"UPDATE message SET keep_ms = keep_ms - ? WHERE keep_ms > ?", []any{back, back}},
		{"UPDATE endpoint SET until_ms = until_ms - ? WHERE until_ms > ?", []any{back, back}},
		{"UPDATE taken SET expires_ms = expires_ms - ?", []any{back}},
		{"UPDATE meta SET v = ? WHERE k = '" + clockKey + "'", []any{strconv.FormatInt(now, 10)}},
	} {
		if _, err := q.w.conn.ExecContext(ctx, s.sql, s.args...); err != nil {
			return q.w.classifyFull(err)
		}
	}
	return nil
}
