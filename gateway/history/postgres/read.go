package postgres

import (
	"context"
	"fmt"

	"postern/gateway/history"
	"postern/gateway/text"
)

// Find implements history.Store.
func (s *Store) Find(ctx context.Context, q history.Query) ([]history.Record, string, error) {
	p, err := history.NewPage(q)
	if err != nil {
		return nil, "", err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, "", err
	}
	return p.Find(ctx, looks{s, conditions(q)})
}

// looks is one query's; where are its conditions.
type looks struct {
	s     *Store
	where string
}

// Newest implements history.Looks.
func (l looks) Newest(ctx context.Context, p *history.Page, most int) error {
	return l.fill(ctx, p, fmt.Sprintf(" ORDER BY n DESC LIMIT %d", most))
}

// ByID implements history.Looks.
func (l looks) ByID(ctx context.Context, p *history.Page, prefix string) error {
	return l.fill(ctx, p, " AND id >= $2 AND id < $3 ORDER BY n DESC", prefix, prefix+"~")
}

// ByWords implements history.Looks.
func (l looks) ByWords(ctx context.Context, p *history.Page) error {
	return l.fill(ctx, p, " AND words @@ $2::tsquery ORDER BY n DESC", match(p.Terms, p.Query.State))
}

func (l looks) fill(ctx context.Context, p *history.Page, which string, args ...any) error {
	rows, err := l.s.pool.Query(ctx, "SELECT n, data, waiting, dead, removed FROM postern.history WHERE n < $1"+l.where+which, append([]any{p.Last}, args...)...)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	return p.Fill(rows)
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
	return where + q.State.SQL()
}

// Get implements history.Store.
func (s *Store) Get(ctx context.Context, id string) (history.Record, error) {
	if !text.Storable(id) {
		return history.Record{}, history.ErrNotFound
	}
	if err := s.prepare(ctx); err != nil {
		return history.Record{}, err
	}
	rows, err := s.pool.Query(ctx, "SELECT n, data, waiting, dead, removed FROM postern.history WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2", id, id+"~")
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	r, err := history.One(rows, id)
	if err != nil {
		return r, err
	}
	later, err := s.pool.Query(ctx, "SELECT data FROM postern.history_attempt WHERE id = $1 ORDER BY n", r.ID)
	if err != nil {
		return history.Record{}, fmt.Errorf("history: %w", err)
	}
	defer later.Close()
	err = r.AddAttempts(later)
	return r, err
}

// Unsettled implements history.Store.
func (s *Store) Unsettled(ctx context.Context, after int64, limit int) ([]history.Standing, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, history.UnsettledSQL("postern.history", "$1", "$2"), after, limit)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	return history.Standings(rows)
}
