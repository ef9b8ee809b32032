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
// What it had leased may have reached a webhook, which told nobody any more, or be
// what ended it: it is marked, so that the worker counts an attempt and lets others go
// first. No write before each attempt is needed for it.
func (q *Queue) recover(ctx context.Context, written time.Time) error {
	if err := q.mendClock(ctx); err != nil {
		return err
	}
	now, limit := engine.Millis(q.now()), engine.Millis(q.now().Add(retry.MaxAfter))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE delivery SET " + engine.Lapse + " WHERE state = 1", nil},
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
