package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

// recover puts right what the last owner left: leases end with their owner,
// times that a clock set back put out of reach come near, and body files
// without a row go. written is when the last owner last wrote.
//
// What it had leased may have reached a webhook, which told nobody any more: that
// counts as an attempt. No write before each attempt is needed for it.
func (q *Queue) recover(ctx context.Context, written time.Time) error {
	if err := q.mendClock(ctx); err != nil {
		return err
	}
	died := written
	if died.IsZero() {
		died = q.now()
	}
	now, limit := engine.Millis(q.now()), engine.Millis(q.now().Add(retry.MaxAfter))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{"INSERT OR REPLACE INTO attempt (delivery, n, at_ms, status, took_ns, reason, error) SELECT n, attempts + 1, ?, 0, 0, ?, ? FROM delivery WHERE state = 1",
			[]any{engine.Millis(died), retry.ReasonLost, retry.ErrorLost}},
		{"UPDATE delivery SET state = leased_from, lease_until_ms = 0, attempts = attempts + 1, last_status = 0, last_error = ? WHERE state = 1", []any{retry.ErrorLost}},
		// The clock may have been set back while we were away.
		{"UPDATE delivery SET due_ms = ? WHERE state = 0 AND due_ms > ?", []any{limit, limit}},
		{"DELETE FROM taken WHERE expires_ms <= ?", []any{now}},
		// Deliveries are leased by endpoint: none may be without its row.
		{"INSERT INTO endpoint (name) SELECT DISTINCT endpoint FROM delivery WHERE true ON CONFLICT DO NOTHING", nil},
	} {
		_, err := q.w.conn.ExecContext(ctx, s.sql, s.args...)
		if err != nil {
			err = q.w.classify(err, false)
		}
		if errors.Is(err, retry.ErrFull) { // fresh mail needs no queue: start all the same
			q.o.Logger.Error("the disk is full: what was being delivered is due when its lease runs out", "folder", q.dir, "err", err)
			break
		}
		if err != nil {
			return fmt.Errorf("recovering: %w", err)
		}
	}
	if err := q.sweepFiles(ctx, written); err != nil {
		return err
	}
	_, err := q.w.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // a log that is empty can't be damaged
	return q.w.classifyFull(err)
}
