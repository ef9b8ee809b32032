package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"postern/gateway/history"
)

// window is how many of the newest records are looked through one by one
// before the index is asked: it is slow just for what they are full of.
const window = 2000

// Find implements history.Store.
func (s *Store) Find(ctx context.Context, q history.Query) ([]history.Record, string, error) {
	if err := q.Check(); err != nil {
		return nil, "", err
	}
	last, err := cursor(q.After)
	if err != nil {
		return nil, "", err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, "", err
	}
	p := &page{q: q, terms: q.Terms(), last: last, found: make([]history.Record, 0, q.Size())}
	where := conditions(q)
	if len(p.terms) == 0 {
		err = s.fill(ctx, p, where+fmt.Sprintf(" ORDER BY n DESC LIMIT %d", q.Size()+1))
		return p.found, p.next, err
	}
	if err = s.fill(ctx, p, where+fmt.Sprintf(" ORDER BY n DESC LIMIT %d", window)); err != nil || p.next != "" || p.looked < window {
		return p.found, p.next, err
	}
	if len(p.terms) == 1 && q.Address == "" {
		if err := s.fill(ctx, p, where+" AND id >= $2 AND id < $3 ORDER BY n DESC", p.terms[0].Word, p.terms[0].Word+"~"); err != nil || len(p.found) > 0 {
			return p.found, p.next, err
		}
	}
	err = s.fill(ctx, p, where+" AND words @@ $2::tsquery ORDER BY n DESC", match(p.terms, q.State))
	return p.found, p.next, err
}

// page is what a query has found so far, newest first.
type page struct {
	q      history.Query
	terms  []history.Term
	found  []history.Record
	looked int    // records
	last   int64  // the number of the last that was looked at
	next   string // a cursor, once there is more than the page holds
}

// fill adds to the page what records before its last bring.
func (s *Store) fill(ctx context.Context, p *page, where string, args ...any) error {
	rows, err := s.pool.Query(ctx, "SELECT n, data, waiting, dead FROM postern.history WHERE n < $1"+where, append([]any{p.last}, args...)...)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		p.looked++
		if p.q.Fits(&r.Record, p.terms) {
			if len(p.found) == cap(p.found) {
				p.next = strconv.FormatInt(p.last, 10)
				return nil
			}
			r.Attempts = nil
			p.found = append(p.found, r.Record)
		}
		p.last = r.n
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// conditions are the query's, besides its terms and where its page begins. All
// their values are numbers or known words.
func conditions(q history.Query) string {
	where := ""
	if !q.Since.IsZero() {
		where += fmt.Sprintf(" AND at_ms >= %d", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		where += fmt.Sprintf(" AND at_ms < %d", q.Until.UnixMilli())
	}
	switch q.State {
	case "":
	case history.StateWaiting:
		where += " AND waiting > 0"
	case history.StateDead:
		where += " AND dead > 0"
	case history.StateFailed:
		where += " AND result <> 'accepted'"
	case history.State(history.Accepted):
		where += " AND result = 'accepted'"
	default: // the index holds just what wasn't accepted
		where += " AND result <> 'accepted' AND result = '" + string(q.State) + "'"
	}
	return where
}

// Get implements history.Store.
func (s *Store) Get(ctx context.Context, id string) (history.Record, error) {
	if err := s.prepare(ctx); err != nil {
		return history.Record{}, err
	}
	rows, err := s.pool.Query(ctx, "SELECT n, data, waiting, dead FROM postern.history WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2", id, id+"~")
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	found, err := pgx.CollectRows(rows, scan)
	switch {
	case err != nil:
		return history.Record{}, fmt.Errorf("history: %w", err)
	case len(found) == 0 || id == "":
		return history.Record{}, history.ErrNotFound
	case len(found) == 2 && found[0].ID != id:
		return history.Record{}, history.ErrAmbiguous
	}
	r := found[0].Record
	if rows, err = s.pool.Query(ctx, "SELECT data FROM postern.history_attempt WHERE id = $1 ORDER BY n", r.ID); err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	later, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (history.Attempt, error) {
		var data []byte
		a := history.Attempt{Message: r.ID}
		if err := row.Scan(&data); err != nil {
			return a, err
		}
		return a, json.Unmarshal(data, &a)
	})
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	r.Attempts = append(r.Attempts, later...)
	return r, nil
}
