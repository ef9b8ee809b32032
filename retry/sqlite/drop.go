package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"postern/retry/engine"
)

// unlink removes a body that nobody needs; the next start's sweep does it
// where this fails.
func (q *Queue) unlink(id string) {
	if err := q.removeBody(id); err != nil {
		q.o.Logger.Warn("a body that nobody needs stays until the next start", "err", err)
	}
}

// dropMessage removes a message that nothing needs any more, and its file
// after the commit.
func (q *Queue) dropMessage(ctx context.Context, t *tx, n int64) error {
	var file sql.NullString
	err := t.queryRow(ctx, "DELETE FROM message WHERE n = ? AND live = 0 AND dead = 0 AND keep_ms <= ? RETURNING file", n, engine.Millis(q.now())).Scan(&file)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if file.Valid {
		if err := t.exec(ctx, "INSERT INTO dropped (file) VALUES (?) ON CONFLICT DO NOTHING", file.String); err != nil {
			return err
		}
		if _, object := engine.ObjectName(file.String); !object { // the sweep deletes that
			t.onCommit(func() { q.wg.Go(func() { q.unlink(file.String) }) }) // off the writer's path
		}
	}
	return nil
}
