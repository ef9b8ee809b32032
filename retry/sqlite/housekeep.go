package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/retry"
	"postern/retry/engine"
)

// When the files are tidied.
const (
	tidyEvery     = time.Minute
	idleAfter     = time.Second // without a write: the log goes into the database
	checkpointAt  = 12 << 20    // log grown by so much: copy it into the database
	checkpointNow = 32 << 20    // log so large: the writer itself does it, and the log begins again in its old place
	opGrows       = 8 << 10     // by an operation, beside a body's octets: the pages of its rows and indexes
	vacuumPages   = 2048        // given back to the disk each time, while that many are free
)

// housekeep checkpoints the log off the writer's path and tidies up what time
// has overtaken, until ctx ends.
func (q *Queue) housekeep(ctx context.Context) {
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.w.full:
			q.checkpoint(ctx)
		case <-tidy.C:
			if q.usage.Get().Messages > 0 || q.dedupKeys.size() > 0 {
				q.tidy(ctx)
			}
			q.shrink(ctx)
		}
	}
}

// checkpoint copies the log into the database as far as readers let it. Any other
// mode would hold the writer's lock while it waits for them.
func (q *Queue) checkpoint(ctx context.Context) {
	if q.o.Fault("checkpoint") != nil {
		return
	}
	if _, err := q.check.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil && ctx.Err() == nil {
		if err := q.w.classify(err, false); err != nil {
			q.o.Logger.Warn("the log wasn't copied into the database", "err", err)
		}
	}
}

// tidy removes kept messages and dedup records whose time is over, and holds
// due times within reach after the clock was set back.
func (q *Queue) tidy(ctx context.Context) {
	err := q.w.do(ctx, true, 0, func(ctx context.Context, t *tx) error {
		now := q.now()
		over, err := t.ints(ctx, "SELECT n FROM message WHERE live = 0 AND dead = 0 AND keep_ms <= ? LIMIT 1000", engine.Millis(now))
		if err != nil {
			return err
		}
		for _, n := range over {
			if err := q.dropMessage(ctx, t, n); err != nil {
				return err
			}
		}
		if err := q.forgetExpired(ctx, t, now); err != nil {
			return err
		}
		if err := q.forgetDropped(ctx, t); err != nil {
			return err
		}
		if err := putClock(ctx, t, now); err != nil {
			return err
		}
		return q.clampDue(ctx, t, now)
	})
	if err != nil && ctx.Err() == nil {
		q.o.Logger.Warn("tidying the queue failed", "err", err)
	}
}

// shrink gives pages that a drained queue left free back to the disk, some at a
// time. The file is cut once they are copied; the writer empties the log when it is
// idle, as after what is durable.
func (q *Queue) shrink(ctx context.Context) {
	var free int
	if err := q.read.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil || free < vacuumPages {
		return
	}
	err := q.w.do(ctx, true, vacuumPages*8192, func(ctx context.Context, t *tx) error {
		err := t.exec(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
		return err
	})
	if err != nil && ctx.Err() == nil {
		q.o.Logger.Warn("the database wasn't shrunk", "err", err)
	}
	q.checkpoint(ctx)
}

func (q *Queue) forgetExpired(ctx context.Context, t *tx, now time.Time) error {
	keys, err := t.strings(ctx, "SELECT key FROM taken WHERE expires_ms <= ? LIMIT 1000", engine.Millis(now))
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, k := range keys {
		if err := t.exec(ctx, "DELETE FROM taken WHERE key = ? AND expires_ms <= ?", k, engine.Millis(now)); err != nil {
			return err
		}
		var left int
		if err := t.queryRow(ctx, "SELECT count(*) FROM taken WHERE key = ?", k).Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			t.onCommit(func() { q.dedupKeys.drop(k) })
		}
	}
	return nil
}

func (q *Queue) clampDue(ctx context.Context, t *tx, now time.Time) error {
	limit := engine.Millis(now.Add(retry.MaxAfter))
	names, err := t.strings(ctx, "SELECT name FROM endpoint")
	if err != nil {
		return err
	}
	for _, name := range names {
		err := t.exec(ctx, "UPDATE delivery SET due_ms = ? WHERE endpoint = ? AND state = 0 AND due_ms > ?", limit, name, limit)
		if err != nil {
			return err
		}
	}
	return nil
}

// empty puts the log into the database once nobody writes: a log that is empty
// can't be damaged. It waits for no reader, and says false where one is there.
func (w *writer) empty() bool {
	if !w.dirty || w.q.o.Admin || w.q.fatal.get() != nil || w.q.o.Fault("checkpoint") != nil {
		return true
	}
	ctx := context.Background()
	var busy, log, done int64
	_, err := w.conn.ExecContext(ctx, "PRAGMA busy_timeout = 0")
	if err == nil {
		err = w.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done)
	}
	_, undo := w.conn.ExecContext(ctx, "PRAGMA busy_timeout = "+busyTimeout)
	if err = errors.Join(err, undo); err != nil {
		_ = w.classify(err, false)
	}
	w.dirty = err != nil || busy != 0
	return !w.dirty
}

// relieve copies the log into the database while nobody writes: with a busy
// writer the copy beside it never catches up, and the log never begins again. It
// does so early: a disk makes what lies in its old place durable several times
// faster than what makes a file longer. Beside another's checkpoint there is nothing
// to copy yet: the next commit asks again.
func (w *writer) relieve(ctx context.Context) {
	if w.grown >= checkpointAt {
		select {
		case w.full <- struct{}{}:
			w.total += w.grown
			w.grown = 0
		default:
		}
	}
	if w.total+w.grown < checkpointNow || w.q.o.Fault("relieve") != nil {
		return
	}
	var busy, log, done int64
	if err := w.queryRow(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &log, &done); err != nil {
		_ = w.classify(err, false)
	}
	if busy == 0 {
		w.total, w.grown = 0, 0
	}
	_ = w.q.o.Fault("relieved")
}
