package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"postern/gateway/history"
)

// match is the full-text query for terms that must all be there.
func match(terms []history.Term, state history.State) string {
	words := make([]string, len(terms), len(terms)+1)
	for i, t := range terms {
		words[i] = `"` + t.Word + `"` // letters and digits alone
		if t.Prefix {
			words[i] += "*"
		}
	}
	if w := state.Word(); w != "" {
		words = append(words, `"`+w+`"`)
	}
	return strings.Join(words, " AND ")
}

// window is how many of the newest records are looked through one by one
// before the index is asked: it is slow just for what they are full of.
const window = 2000

// Find implements history.Store.
func (s *Store) Find(ctx context.Context, q history.Query) ([]history.Record, string, error) {
	if err := q.Check(); err != nil {
		return nil, "", err
	}
	before, err := cursor(q.After)
	if err != nil {
		return nil, "", err
	}
	p := &page{q: q, terms: q.Terms(), last: before, found: make([]history.Record, 0, q.Size())}
	where, args := conditions(q)
	if len(p.terms) == 0 {
		err = s.fill(ctx, p, "records WHERE n < ?"+where+" ORDER BY n DESC LIMIT ?", append(args, q.Size()+1))
		return p.found, p.next, err
	}
	low, high, err := s.between(ctx, q)
	if err != nil {
		return nil, "", err
	}
	p.last = min(p.last, high)
	if err = s.fill(ctx, p, "records WHERE n < ?"+where+" ORDER BY n DESC LIMIT ?", append(args, window)); err != nil || p.next != "" || p.looked < window {
		return p.found, p.next, err
	}
	if len(p.terms) == 1 && q.Address == "" {
		args := append([]any{p.terms[0].Word, p.terms[0].Word + "~"}, args...)
		if err := s.fill(ctx, p, "records WHERE n < ? AND id >= ? AND id < ?"+where+" ORDER BY n DESC", args); err != nil || len(p.found) > 0 {
			return p.found, p.next, err
		}
	}
	err = s.fill(ctx, p, "words JOIN records ON n = words.rowid WHERE words.rowid < ? AND words MATCH ? AND words.rowid >= ?"+where+
		" ORDER BY words.rowid DESC", append([]any{match(p.terms, q.State), low}, args...))
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

// fill adds to the page what rows of records before its last bring.
func (s *Store) fill(ctx context.Context, p *page, from string, args []any) error {
	rows, err := s.read.QueryContext(ctx, "SELECT n, data, waiting, dead FROM "+from, append([]any{p.last}, args...)...)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var waiting, dead int
		n, r, err := scan(rows, &waiting, &dead)
		if err != nil {
			return err
		}
		p.looked++
		r.Waiting, r.Dead = waiting, dead
		if p.q.Fits(&r, p.terms) {
			if len(p.found) == cap(p.found) {
				p.next = strconv.FormatInt(p.last, 10)
				return nil
			}
			r.Attempts = nil
			p.found = append(p.found, r)
		}
		p.last = n
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// between are the numbers of the query's time, about: records come nearly in
// the order of their times.
func (s *Store) between(ctx context.Context, q history.Query) (low, high int64, err error) {
	const apart = 60_000 // ms
	low, high = 0, 1<<62
	if !q.Since.IsZero() {
		err = s.read.QueryRowContext(ctx, "SELECT ifnull((SELECT n FROM records WHERE at >= ? ORDER BY at LIMIT 1), ?)", q.Since.UnixMilli()-apart, high).Scan(&low)
	}
	if !q.Until.IsZero() && err == nil {
		err = s.read.QueryRowContext(ctx, "SELECT ifnull((SELECT n + 1 FROM records WHERE at < ? ORDER BY at DESC LIMIT 1), 0)", q.Until.UnixMilli()+apart).Scan(&high)
	}
	return low, high, err
}

// conditions are the query's, besides its terms and where its page begins.
func conditions(q history.Query) (where string, args []any) {
	if !q.Since.IsZero() {
		where, args = where+" AND at >= ?", append(args, q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		where, args = where+" AND at < ?", append(args, q.Until.UnixMilli())
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
		where, args = where+" AND result <> 'accepted' AND result = ?", append(args, string(q.State))
	}
	return where, args
}

func scan(rows *sql.Rows, more ...any) (int64, history.Record, error) {
	var n int64
	var data []byte
	var r history.Record
	if err := rows.Scan(append([]any{&n, &data}, more...)...); err != nil {
		return 0, r, fmt.Errorf("history: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return 0, r, fmt.Errorf("history: record %d: %w", n, err)
	}
	return n, r, nil
}

// Get implements history.Store.
func (s *Store) Get(ctx context.Context, id string) (history.Record, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT n, data, waiting, dead FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", id, id+"~")
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	var found []history.Record
	for rows.Next() {
		var waiting, dead int
		_, r, err := scan(rows, &waiting, &dead)
		if err != nil {
			return history.Record{}, err
		}
		r.Waiting, r.Dead = waiting, dead
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	switch {
	case len(found) == 0 || id == "":
		return history.Record{}, history.ErrNotFound
	case len(found) == 2 && found[0].ID != id:
		return history.Record{}, history.ErrAmbiguous
	}
	err = s.attempts(ctx, &found[0])
	return found[0], err
}

// attempts adds those that came out of the queue.
func (s *Store) attempts(ctx context.Context, r *history.Record) error {
	rows, err := s.read.QueryContext(ctx, "SELECT data FROM attempts WHERE id = ? ORDER BY rowid", r.ID)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var data []byte
		a := history.Attempt{Message: r.ID}
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if err := json.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("history: an attempt of %s: %w", r.ID, err)
		}
		r.Attempts = append(r.Attempts, a)
	}
	return rows.Err()
}
