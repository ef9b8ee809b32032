package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"postern/gateway/history"
)

// forgetting is the lock of who forgets; who writes shares it.
const forgetting = "7885912312990"

// Forget implements history.Store. The note of it comes after every batch under
// way and before the search, which finds them; the batches after it heed it.
func (s *Store) Forget(ctx context.Context, address string) (int, error) {
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	terms, err := history.AddressTerms(address)
	if err != nil {
		return 0, err
	}
	if err := s.note(ctx, address); err != nil {
		return 0, err
	}
	rows, err := s.pool.Query(ctx, "SELECT n, data, waiting, dead, removed FROM postern.history WHERE words @@ $1::tsquery", match(terms, ""))
	if err != nil {
		return 0, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	named, err := history.Naming(rows, address)
	if err != nil {
		return 0, err
	}
	rows.Close() // before the next statement
	n, err := s.remove(ctx, "SELECT id FROM postern.history WHERE n = ANY($1)", named)
	if err != nil {
		return n, err
	}
	return n, s.forgetLeft(ctx, address)
}

func (s *Store) note(ctx context.Context, address string) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock("+forgetting+")"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO postern.history_forgotten (name, at_ms) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms",
			history.NameSum(address), s.o.Now().UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// forgetLeft removes the attempts for an address whose records are gone already.
func (s *Store) forgetLeft(ctx context.Context, address string) error {
	rows, err := s.pool.Query(ctx, "SELECT n, data FROM postern.history_attempt a WHERE NOT EXISTS (SELECT FROM postern.history h WHERE h.id = a.id)")
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	named, err := history.NamingAttempts(rows, address)
	if err != nil {
		return err
	}
	rows.Close() // before the next statement
	if _, err := s.pool.Exec(ctx, "DELETE FROM postern.history_attempt WHERE n = ANY ($1)", named); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// pruneLeft removes what outlived its use: attempts at messages whose record is
// gone, and notes of who was forgotten long ago.
func (s *Store) pruneLeft(ctx context.Context) error {
	for _, stmt := range []string{
		"DELETE FROM postern.history_attempt WHERE id < (SELECT min(id) FROM postern.history)",
		fmt.Sprintf("DELETE FROM postern.history_forgotten WHERE at_ms < %d", s.o.Now().Add(-history.ForgottenFor).UnixMilli()),
	} {
		if _, err := s.pool.Exec(ctx, stmt); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}
