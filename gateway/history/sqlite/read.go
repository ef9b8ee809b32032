package sqlite

import (
	"context"
	"fmt"
	"slices"
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

// Find implements history.Store.
func (s *Store) Find(ctx context.Context, q history.Query) ([]history.Record, string, error) {
	p, err := history.NewPage(q)
	if err != nil {
		return nil, "", err
	}
	l := looks{s: s}
	l.where, l.args = conditions(q)
	if len(p.Terms) > 0 {
		low, high, err := s.between(ctx, q)
		if err != nil {
			return nil, "", err
		}
		l.low, p.Last = low, min(p.Last, high)
	}
	return p.Find(ctx, l)
}

// looks is one query's: its conditions, and the number below which the index needn't
// look.
type looks struct {
	s     *Store
	where string
	args  []any
	low   int64
}

// Newest implements history.Looks.
func (l looks) Newest(ctx context.Context, p *history.Page, most int) error {
	return l.fill(ctx, p, "records WHERE n < ?"+l.where+" ORDER BY n DESC LIMIT ?", slices.Concat(l.args, []any{most}))
}

// ByID implements history.Looks.
func (l looks) ByID(ctx context.Context, p *history.Page, prefix string) error {
	return l.fill(ctx, p, "records WHERE n < ? AND id >= ? AND id < ?"+l.where+" ORDER BY n DESC", slices.Concat([]any{prefix, prefix + "~"}, l.args))
}

// ByWords implements history.Looks.
func (l looks) ByWords(ctx context.Context, p *history.Page) error {
	return l.fill(ctx, p, "words JOIN records ON n = words.rowid WHERE words.rowid < ? AND words MATCH ? AND words.rowid >= ?"+l.where+
		" ORDER BY words.rowid DESC", slices.Concat([]any{match(p.Terms, p.Query.State), l.low}, l.args))
}

func (l looks) fill(ctx context.Context, p *history.Page, from string, args []any) error {
	rows, err := l.s.read.QueryContext(ctx, "SELECT n, data, waiting, dead, removed FROM "+from, append([]any{p.Last}, args...)...)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	return p.Fill(rows)
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
	return where + q.State.SQL(), args
}

// Get implements history.Store.
func (s *Store) Get(ctx context.Context, id string) (history.Record, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT n, data, waiting, dead, removed FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", id, id+"~")
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	r, err := history.One(rows, id)
	if err != nil {
		return r, err
	}
	err = s.attempts(ctx, &r)
	return r, err
}

// attempts adds those that came out of the queue.
func (s *Store) attempts(ctx context.Context, r *history.Record) error {
	rows, err := s.read.QueryContext(ctx, "SELECT data FROM attempts WHERE id = ? ORDER BY rowid", r.ID)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	return r.AddAttempts(rows)
}

// Unsettled implements history.Store.
func (s *Store) Unsettled(ctx context.Context, after int64, limit int) ([]history.Standing, error) {
	rows, err := s.read.QueryContext(ctx, history.UnsettledSQL("records", "?1", "?2"), after, limit)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	return history.Standings(rows)
}
