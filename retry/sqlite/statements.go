package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"postern/retry"
)

// stmt prepares each statement once.
func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.execN(ctx, query, args...)
	return err
}

// insert stores a row and returns its number, 0 where OR IGNORE left it. It is no
// INSERT … RETURNING: for that, and for one that fires triggers and may fail,
// SQLite first writes down how each page was, to undo the statement alone. Here a
// batch is undone as a whole.
func (w *writer) insert(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	if n, err := r.RowsAffected(); n == 0 || err != nil {
		return 0, err
	}
	w.dirty = true
	return r.LastInsertId()
}

func (w *writer) execN(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	w.dirty = w.dirty || n > 0
	return n, err
}

func (w *writer) queryRow(ctx context.Context, query string, args ...any) row {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return row{err: err}
	}
	return row{row: s.QueryRowContext(ctx, args...)}
}

// row is a *sql.Row that may have failed before.
type row struct {
	row *sql.Row
	err error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// prepared are statements that several connections run, each prepared once.
type prepared struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.stmts[query]; ok {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if p.stmts == nil {
		p.stmts = map[string]*sql.Stmt{}
	}
	p.stmts[query] = s
	return s, nil
}

func (p *prepared) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) queryRow(ctx context.Context, query string, args ...any) row {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return row{err: err}
	}
	return row{row: s.QueryRowContext(ctx, args...)}
}

func (p *prepared) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.stmts {
		errs = append(errs, s.Close())
	}
	p.stmts = nil
	return errors.Join(errs...)
}

// isRefusal says that an op declined before it wrote anything, so that the
// rest of its batch stands.
func isRefusal(err error) bool {
	return errors.Is(err, retry.ErrFull) || errors.Is(err, retry.ErrLeaseLost) || errors.Is(err, retry.ErrNotFound)
}

// ints reads a column of numbers.
func (w *writer) ints(ctx context.Context, query string, args ...any) ([]int64, error) {
	return column[int64](ctx, w, query, args...)
}

// strings reads a column of text.
func (w *writer) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	return column[string](ctx, w, query, args...)
}

func column[T any](ctx context.Context, w *writer, query string, args ...any) ([]T, error) {
	s, err := w.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
