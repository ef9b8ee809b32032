// Package postgres keeps delivered mail in the database of the queue, in tables
// of its own that replicas share. While the database is away nothing is kept and
// nobody waits. Commits aren't waited for (synchronous_commit = off), so a crash
// of the server may take the last second.
package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/gateway/kept"
	"postern/gateway/tables"
	"postern/retry"
	"postern/retry/engine"
)

// schema is applied by whoever keeps first; each statement may come twice.
const schema = `
SELECT pg_advisory_xact_lock(7885912312988);
CREATE SCHEMA IF NOT EXISTS postern;
CREATE TABLE IF NOT EXISTS postern.kept (
	id      text COLLATE "C" PRIMARY KEY,
	kept_ms bigint NOT NULL,
	size    bigint NOT NULL,
	names   text[] NOT NULL,
	record  bytea NOT NULL -- kept.Record as JSON
);
CREATE INDEX IF NOT EXISTS kept_age ON postern.kept (kept_ms) INCLUDE (size);
CREATE TABLE IF NOT EXISTS postern.kept_chunk (
	id    text COLLATE "C" NOT NULL REFERENCES postern.kept (id) ON DELETE CASCADE,
	i     int NOT NULL,
	bytes bytea NOT NULL,
	PRIMARY KEY (id, i)
);
CREATE TABLE IF NOT EXISTS postern.kept_forgotten (
	name  text COLLATE "C" PRIMARY KEY, -- kept.Sum of it
	at_ms bigint NOT NULL
);
ALTER TABLE postern.kept_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;`

const (
	chunkSize = 256 << 10 // octets of a body in one row
	pruneStep = 1000      // messages that go in one statement
	// sizeEvery is how often the octets are summed up: the sum reads an index of
	// all that is kept.
	sizeEvery = 30 * time.Second
)

// Options bound a store.
type Options struct {
	MaxBytes int64 // of all bodies; 0 for no bound
	Now      func() time.Time
}

// Store is a kept.Store in a database.
type Store struct {
	o      Options
	pool   *tables.DB
	summed time.Time // when the octets were; the keeper's goroutine only
}

var _ kept.Store = (*Store)(nil)

// Open returns a store in the database that dsn names. It connects when it is
// needed first, so that a database that is away stops nobody.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	pool, err := tables.Open(ctx, dsn, schema)
	if err != nil {
		return nil, fmt.Errorf("kept: %w", err)
	}
	return &Store{o: o, pool: pool}, nil
}

// prepare makes the tables, once.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.pool.Prepare(ctx); err != nil {
		return fmt.Errorf("kept: %w", err)
	}
	return nil
}

// Close implements kept.Store.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Put implements kept.Store: one transaction, a row a piece of the body. A
// message that is kept already is kept anew from now on.
func (s *Store) Put(ctx context.Context, r kept.Record, body io.Reader) error {
	if s.o.MaxBytes > 0 && r.Size > s.o.MaxBytes {
		return fmt.Errorf("kept: a message of %d octets is larger than all that may be kept", r.Size)
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock_shared("+forgetting+")"); err != nil {
			return err
		}
		now := s.o.Now().UnixMilli()
		tag, err := tx.Exec(ctx, `INSERT INTO postern.kept (id, kept_ms, size, names, record) SELECT $1, $2, $3, $4, ''
			WHERE NOT EXISTS (SELECT FROM postern.kept_forgotten WHERE name = ANY ($5) AND at_ms >= $6) ON CONFLICT (id) DO NOTHING`,
			r.ID, now, r.Size, r.Names, sums(r.Names), r.Received.UnixMilli())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 { // or somebody was forgotten, and it isn't there
			_, err = tx.Exec(ctx, "UPDATE postern.kept SET kept_ms = $2 WHERE id = $1", r.ID, now)
			return err
		}
		if r.SHA256, err = putBody(ctx, tx, r.ID, r.Size, body); err != nil {
			return err
		}
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE postern.kept SET record = $2 WHERE id = $1", r.ID, data)
		return err
	})
	if err != nil {
		return fmt.Errorf("kept: %w", err)
	}
	return nil
}

// putBody stores a body in pieces and sums it up.
func putBody(ctx context.Context, tx pgx.Tx, id string, size int64, body io.Reader) ([]byte, error) {
	h := sha256.New()
	buf := make([]byte, min(size, chunkSize))
	for i, left := 0, size; left > 0; i++ {
		piece := buf[:min(left, chunkSize)]
		if _, err := io.ReadFull(body, piece); err != nil {
			return nil, err
		}
		h.Write(piece)
		if _, err := tx.Exec(ctx, "INSERT INTO postern.kept_chunk (id, i, bytes) VALUES ($1, $2, $3)", id, i, piece); err != nil {
			return nil, err
		}
		left -= int64(len(piece))
	}
	return h.Sum(nil), nil
}

// OpenMessage implements kept.Store.
func (s *Store) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	if err := s.prepare(ctx); err != nil {
		return retry.Message{}, nil, err
	}
	var data []byte
	err := s.pool.QueryRow(ctx, "SELECT record FROM postern.kept WHERE id = $1", id).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, kept.ErrNotFound)
	}
	var r kept.Record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, err)
	}
	m := r.Message()
	return m, engine.ReaderBody(&chunks{ctx: ctx, s: s, id: id, last: -1}, nothing{}, m.Body, "message "+id), nil
}

// chunks reads a body's pieces; the last one is at hand.
type chunks struct {
	ctx  context.Context
	s    *Store
	id   string
	last int64
	data []byte
}

// ReadAt implements io.ReaderAt, for one goroutine at a time.
func (c *chunks) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if i := (off + int64(n)) / chunkSize; i != c.last {
			err := c.s.pool.QueryRow(c.ctx, "SELECT bytes FROM postern.kept_chunk WHERE id = $1 AND i = $2", c.id, i).Scan(&c.data)
			if errors.Is(err, pgx.ErrNoRows) {
				return n, io.EOF
			}
			if err != nil {
				return n, fmt.Errorf("kept: %w", err)
			}
			c.last = i
		}
		from := (off + int64(n)) % chunkSize
		if from >= int64(len(c.data)) {
			return n, io.EOF
		}
		n += copy(p[n:], c.data[from:])
	}
	return n, nil
}

type nothing struct{}

func (nothing) Close() error { return nil }

// Names implements kept.Store.
func (s *Store) Names(ctx context.Context, address string) (n int, err error) {
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM postern.kept WHERE $1 = ANY (names)", kept.Name(address)).Scan(&n); err != nil {
		return 0, fmt.Errorf("kept: %w", err)
	}
	return n, nil
}

// Forget implements kept.Store.
func (s *Store) Forget(ctx context.Context, address string) (int, error) {
	if err := s.prepare(ctx); err != nil {
		return 0, err
	}
	var n int64
	name := kept.Name(address)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock("+forgetting+")"); err != nil { // after every Put under way
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO postern.kept_forgotten (name, at_ms) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET at_ms = excluded.at_ms", kept.Sum(name), s.o.Now().UnixMilli()); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "DELETE FROM postern.kept WHERE $1 = ANY (names)", name)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("kept: %w", err)
	}
	return int(n), nil
}

// forgetting is the lock of who forgets; Puts share it.
const forgetting = "7885912312989"

func sums(names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = kept.Sum(n)
	}
	return all
}

// Prune implements kept.Store.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for {
		n, err := s.remove(ctx, "SELECT id FROM postern.kept WHERE kept_ms < $1 ORDER BY kept_ms LIMIT $2", before.UnixMilli(), pruneStep)
		if err != nil {
			return err
		}
		if n < pruneStep {
			return s.shrink(ctx, before)
		}
	}
}

// shrink removes the oldest while all of them take more than their bound, and who
// was forgotten long ago.
func (s *Store) shrink(ctx context.Context, before time.Time) error {
	now := s.o.Now()
	if now.Sub(s.summed) < sizeEvery {
		return nil
	}
	s.summed = now
	if _, err := s.pool.Exec(ctx, "DELETE FROM postern.kept_forgotten WHERE at_ms < $1", kept.ForgottenBefore(before, now).UnixMilli()); err != nil {
		return fmt.Errorf("kept: %w", err)
	}
	if s.o.MaxBytes <= 0 {
		return nil
	}
	_, err := s.remove(ctx, `SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY kept_ms DESC, id DESC) AS total FROM postern.kept) k WHERE total > $1`, s.o.MaxBytes)
	return err
}

// remove deletes the messages whose ids a query selects.
func (s *Store) remove(ctx context.Context, which string, args ...any) (int, error) {
	tag, err := s.pool.Exec(ctx, "DELETE FROM postern.kept WHERE id IN ("+which+")", args...)
	if err != nil {
		return 0, fmt.Errorf("kept: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
