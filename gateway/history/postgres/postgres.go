// Package postgres keeps history in the database of the queue, in tables of its
// own that replicas share. While the database is away nothing is written and
// nobody waits: the recorder drops and counts. Commits aren't waited for
// (synchronous_commit = off), so a crash of the server may take the last second.
package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/history"
	"postern/gateway/tables"
)

// schema is applied by whoever writes first; each statement may come twice.
const schema = `
SELECT pg_advisory_xact_lock(7885912312987);
CREATE SCHEMA IF NOT EXISTS postern;
CREATE TABLE IF NOT EXISTS postern.history (
	n       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id      text COLLATE "C" NOT NULL UNIQUE,
	at_ms   bigint NOT NULL,
	result  text NOT NULL,
	waiting int NOT NULL,
	dead    int NOT NULL,
	removed int NOT NULL DEFAULT 0,
	words   tsvector NOT NULL,
	data    bytea NOT NULL -- history.Record as JSON
);
ALTER TABLE postern.history ADD COLUMN IF NOT EXISTS removed int NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS history_removed ON postern.history (n) WHERE removed > 0;
CREATE TABLE IF NOT EXISTS postern.history_forgotten (
	name  text COLLATE "C" PRIMARY KEY, -- history.NameSum of an address
	at_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS history_at ON postern.history (at_ms);
CREATE INDEX IF NOT EXISTS history_failed ON postern.history (result, n) WHERE result <> 'accepted';
CREATE INDEX IF NOT EXISTS history_waiting ON postern.history (n) WHERE waiting > 0;
CREATE INDEX IF NOT EXISTS history_dead ON postern.history (n) WHERE dead > 0;
CREATE INDEX IF NOT EXISTS history_words ON postern.history USING gin (words);
CREATE TABLE IF NOT EXISTS postern.history_attempt (
	n    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id   text COLLATE "C" NOT NULL, -- the message's
	data bytea NOT NULL -- history.Attempt as JSON
);
CREATE INDEX IF NOT EXISTS history_attempt_id ON postern.history_attempt (id);`

// Options bound a store.
type Options struct {
	MaxBytes int64            // of the tables; the oldest records go first
	Now      func() time.Time // nil: time.Now
}

// Store is a history.Store in a database.
type Store struct {
	o    Options
	pool *tables.DB
}

var _ history.Store = (*Store)(nil)

// Open returns a store in the database that dsn names. It connects when it is
// needed first, so that a database that is away stops nobody.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	pool, err := tables.Open(ctx, dsn, schema)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &Store{o: o, pool: pool}, nil
}

// prepare makes the tables, once.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.pool.Prepare(ctx); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// Close implements history.Store.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Write implements history.Store: one transaction in one round trip.
func (s *Store) Write(ctx context.Context, b history.Batch) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	// Of this transaction alone: behind a pooler the connection's next one is the
	// queue's, which must wait for the disk.
	batch.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	batch.Queue("SELECT pg_advisory_xact_lock_shared(" + forgetting + ")")
	setup := batch.Len()
	for i := range b.Records {
		r := &b.Records[i]
		data, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		batch.Queue(`INSERT INTO postern.history (id, at_ms, result, waiting, dead, words, data)
			SELECT $1, $2, $3, $4, $5, array_to_tsvector($6::text[]), $7
			WHERE NOT EXISTS (SELECT FROM postern.history_forgotten WHERE name = ANY ($8) AND at_ms >= $2) ON CONFLICT (id) DO NOTHING`,
			r.ID, r.At.UnixMilli(), string(r.Result), r.Waiting, r.Dead, lexemes(r), data, r.NameSums())
	}
	for i := range b.Attempts {
		a := &b.Attempts[i]
		data, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		batch.Queue(`INSERT INTO postern.history_attempt (id, data) SELECT $1, $2
			WHERE EXISTS (SELECT FROM postern.history WHERE id = $1) OR NOT EXISTS (SELECT FROM postern.history_forgotten WHERE name = ANY ($3) AND at_ms >= $4)`,
			a.Message, data, a.NameSums(), a.Came().UnixMilli())
		if a.Settles != "" {
			wasDead := 0
			if a.WasDead {
				wasDead = 1
			}
			batch.Queue(settle, a.Message, string(a.Settles), a.Parts, wasDead)
		}
	}
	for i := range b.Corrections {
		if err := correct(batch, &b.Corrections[i]); err != nil {
			return err
		}
	}
	if batch.Len() == setup {
		return nil
	}
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

var settle = history.SettleSQL("postern.history", "$1", "$2::text", "$3::int", "$4::int")

// correct sets a record right that still stands as the correction says.
func correct(batch *pgx.Batch, c *history.Correction) error {
	told := []byte(nil)
	if c.Told != nil {
		var err error
		if told, err = json.Marshal(c.Told); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	batch.Queue(`WITH set_right AS (UPDATE postern.history SET waiting = $1, dead = $2, removed = $3 WHERE id = $4 AND waiting = $5 AND dead = $6 RETURNING id)
		INSERT INTO postern.history_attempt (id, data) SELECT id, $7::bytea FROM set_right WHERE $7::bytea IS NOT NULL`,
		c.Is.Waiting, c.Is.Dead, c.Is.Removed, c.Message, c.Waiting, c.Dead, told)
	return nil
}

// lexemes are the record's words; a tsvector has no empty ones, and PostgreSQL
// no NUL, which is neither letter nor digit.
func lexemes(r *history.Record) []string {
	words := r.Words()
	kept := words[:0]
	for _, w := range words {
		if w != "" {
			kept = append(kept, strings.ToValidUTF8(w, ""))
		}
	}
	return kept
}

// match is the tsquery for terms that must all be there.
func match(terms []history.Term, state history.State) string {
	words := make([]string, len(terms), len(terms)+1)
	for i, t := range terms {
		words[i] = "'" + t.Word + "'" // letters and digits alone
		if t.Prefix {
			words[i] += ":*"
		}
	}
	if w := state.Word(); w != "" {
		words = append(words, "'"+w+"'")
	}
	return strings.Join(words, " & ")
}

// pruneStep is how many records go in one transaction.
const pruneStep = 5000

// Prune implements history.Store.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for {
		n, err := s.remove(ctx, "SELECT id FROM postern.history WHERE at_ms < $1 ORDER BY at_ms LIMIT $2", before.UnixMilli(), pruneStep)
		if err != nil {
			return err
		}
		if n < pruneStep {
			break
		}
	}
	if err := s.pruneLeft(ctx); err != nil {
		return err
	}
	return s.shrink(ctx)
}

// shrink removes a twentieth of the oldest records while they take more than
// their bound; the space comes back with vacuum, so one step a call is enough.
func (s *Store) shrink(ctx context.Context) error {
	if s.o.MaxBytes <= 0 {
		return nil
	}
	var used, rows int64
	err := s.pool.QueryRow(ctx, `SELECT coalesce(sum(length(data)), 0) * 2, count(*) FROM postern.history`).Scan(&used, &rows)
	if err != nil || used <= s.o.MaxBytes {
		return err
	}
	_, err = s.remove(ctx, "SELECT id FROM postern.history ORDER BY n LIMIT $1", rows/20+1)
	return err
}

// remove deletes the records whose ids a query selects.
func (s *Store) remove(ctx context.Context, which string, args ...any) (int, error) {
	tag, err := s.pool.Exec(ctx, "WITH gone AS ("+which+"), attempts AS (DELETE FROM postern.history_attempt a USING gone WHERE a.id = gone.id) "+
		"DELETE FROM postern.history h USING gone WHERE h.id = gone.id", args...)
	if err != nil {
		return 0, fmt.Errorf("history: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
