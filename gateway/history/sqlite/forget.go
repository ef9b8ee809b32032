package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"postern/gateway/history"
)

// Forget implements history.Store. The note of it comes before the search: a batch
// that the search comes too early for begins after the note, and heeds it.
func (s *Store) Forget(ctx context.Context, address string) (int, error) {
	terms, err := history.AddressTerms(address)
	if err != nil {
		return 0, err
	}
	if err := s.note(ctx, address); err != nil {
		return 0, err
	}
	rows, err := s.read.QueryContext(ctx, "SELECT n, data, waiting, dead, removed FROM records WHERE n IN (SELECT rowid FROM words WHERE words MATCH ?)", match(terms, ""))
	if err != nil {
		return 0, fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	named, err := history.Naming(rows, address)
	if err != nil {
		return 0, err
	}
	for _, n := range named {
		if _, err := s.remove(ctx, "SELECT n FROM records WHERE n = ?", n); err != nil {
			return 0, err
		}
	}
	if err := s.forgetLeft(ctx, address); err != nil {
		return len(named), err
	}
	return len(named), s.vacuum(ctx)
}

func (s *Store) note(ctx context.Context, address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO forgotten (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
			history.NameSum(address), s.o.Now().UnixMilli())
		return err
	})
}

// forgetLeft removes the attempts for an address whose records are gone already.
func (s *Store) forgetLeft(ctx context.Context, address string) error {
	rows, err := s.read.QueryContext(ctx, "SELECT rowid, data FROM attempts WHERE NOT EXISTS (SELECT 1 FROM records WHERE records.id = attempts.id)")
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer rows.Close()
	named, err := history.NamingAttempts(rows, address)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(named, pruneStep) {
		if err := s.removeAttempts(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeAttempts(ctx context.Context, numbers []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx, func(tx *sql.Tx) error {
		for _, n := range numbers {
			if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE rowid = ?", n); err != nil {
				return err
			}
		}
		return nil
	})
}

// withoutForgotten leaves out of a batch the records that ended before somebody
// whom they name was forgotten, and attempts at messages that came before it and
// whose record went then. An attempt at later mail may come before its record.
func (s *Store) withoutForgotten(ctx context.Context, tx *sql.Tx, b history.Batch) (history.Batch, error) {
	var some bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM forgotten)").Scan(&some); err != nil || !some {
		return b, err
	}
	var failed error
	at := func(sums []string) (last int64) {
		for _, sum := range sums {
			var at int64
			err := tx.StmtContext(ctx, s.put.forgotten).QueryRowContext(ctx, sum).Scan(&at)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				failed = err
			}
			last = max(last, at)
		}
		return last
	}
	b.Records = slices.DeleteFunc(slices.Clone(b.Records), func(r history.Record) bool { return r.At.UnixMilli() <= at(r.NameSums()) })
	kept := map[string]bool{}
	for i := range b.Records {
		kept[b.Records[i].ID] = true
	}
	b.Attempts = slices.DeleteFunc(slices.Clone(b.Attempts), func(a history.Attempt) bool {
		if last := at(a.NameSums()); kept[a.Message] || last == 0 || a.Came().UnixMilli() > last {
			return false
		}
		var one int
		err := tx.StmtContext(ctx, s.put.known).QueryRowContext(ctx, a.Message).Scan(&one)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			failed = err
		}
		return one == 0
	})
	return b, failed
}

// pruneLeft removes what outlived its use: attempts at messages whose record is
// gone, and notes of who was forgotten long ago.
func (s *Store) pruneLeft(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE id < (SELECT min(id) FROM records)"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM forgotten WHERE at < ?", s.o.Now().Add(-history.ForgottenFor).UnixMilli())
		return err
	})
}

// vacuum gives freed pages back, and overwrites what they held.
func (s *Store) vacuum(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.write.ExecContext(ctx, "INSERT INTO words (words) VALUES ('optimize'); PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
