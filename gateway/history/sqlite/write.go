package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"postern/gateway/history"
)

// Write implements history.Store: one transaction. Its end in time is looked for
// between the statements, since to watch each of them costs a goroutine.
func (s *Store) Write(ctx context.Context, b history.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx, func(tx *sql.Tx) error {
		b, err := s.withoutForgotten(ctx, tx, b)
		if err != nil {
			return err
		}
		w := s.put.within(context.WithoutCancel(ctx), tx)
		for i := range b.Records {
			if err := cmp.Or(ctx.Err(), w.putRecord(&b.Records[i])); err != nil {
				return err
			}
		}
		for i := range b.Attempts {
			if err := cmp.Or(ctx.Err(), w.putAttempt(&b.Attempts[i])); err != nil {
				return err
			}
		}
		for i := range b.Corrections {
			if err := cmp.Or(ctx.Err(), w.putCorrection(&b.Corrections[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// batch is a transaction's statements.
type batch struct {
	ctx context.Context
	puts
}

// within binds the statements that put something to a transaction.
func (p puts) within(ctx context.Context, tx *sql.Tx) batch {
	bind := func(stmt *sql.Stmt) *sql.Stmt { return tx.StmtContext(ctx, stmt) }
	return batch{ctx, puts{record: bind(p.record), words: bind(p.words), attempt: bind(p.attempt), settle: bind(p.settle), correct: bind(p.correct)}}
}

func (s *Store) commit(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

func (w batch) putRecord(r *history.Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	res, err := w.record.ExecContext(w.ctx, r.ID, r.At.UnixMilli(), string(r.Result), r.Waiting, r.Dead, data)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	n, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = w.words.ExecContext(w.ctx, n, strings.Join(r.Words(), " "))
	return err
}

func (w batch) putAttempt(a *history.Attempt) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err := w.attempt.ExecContext(w.ctx, a.Message, data); err != nil {
		return err
	}
	if a.Settles == "" {
		return nil
	}
	wasDead := 0
	if a.WasDead {
		wasDead = 1
	}
	_, err = w.settle.ExecContext(w.ctx, a.Message, string(a.Settles), a.Parts, wasDead)
	return err
}

// putCorrection sets a record right that still stands as the correction says.
func (w batch) putCorrection(c *history.Correction) error {
	res, err := w.correct.ExecContext(w.ctx, c.Is.Waiting, c.Is.Dead, c.Is.Removed, c.Message, c.Waiting, c.Dead)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 || c.Told == nil {
		return err
	}
	data, err := json.Marshal(c.Told)
	if err != nil {
		return err
	}
	_, err = w.attempt.ExecContext(w.ctx, c.Message, data)
	return err
}

// pruneStep is how many records go in one transaction, so that a batch of new
// ones never waits long.
const pruneStep = 2000

// Prune implements history.Store.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	for {
		n, err := s.remove(ctx, "SELECT n FROM records WHERE at < ? ORDER BY at LIMIT ?", before.UnixMilli(), pruneStep)
		if err != nil {
			return err
		}
		if n == pruneStep {
			continue
		}
		if err := s.pruneLeft(ctx); err != nil {
			return err
		}
		used, err := s.used(ctx)
		if err != nil || s.o.MaxBytes <= 0 || used <= s.o.MaxBytes {
			return err
		}
		if n, err = s.remove(ctx, "SELECT n FROM records ORDER BY n LIMIT ?", pruneStep); err != nil || n == 0 {
			return err
		}
	}
}

// used is how many octets of the file hold something.
func (s *Store) used(ctx context.Context) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&n)
	return n, err
}

// remove deletes the records that a query of their numbers selects.
func (s *Store) remove(ctx context.Context, which string, args ...any) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	err := s.commit(ctx, func(tx *sql.Tx) error {
		for _, stmt := range []string{
			"DELETE FROM attempts WHERE id IN (SELECT id FROM records WHERE n IN (" + which + "))",
			"DELETE FROM words WHERE rowid IN (" + which + ")",
			"DELETE FROM records WHERE n IN (" + which + ")",
		} {
			res, err := tx.ExecContext(ctx, stmt, args...)
			if err != nil {
				return err
			}
			if n, err = res.RowsAffected(); err != nil {
				return err
			}
		}
		return nil
	})
	return int(n), err
}
