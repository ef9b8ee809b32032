// Package sqlite keeps history in a SQLite file of its own, beside the queue's
// and apart from it: a damaged file is set aside and said so, never in the way
// of mail. The last commit survives a kill of the process (WAL,
// synchronous=NORMAL); a power cut may take the last seconds.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"postern/gateway/history"
)

// fileName is the file's, in the store's folder.
const fileName = "history.db"

// version is the schema's; another's file is set aside.
const version = 1

// schema: records in the order of their arrival; words is a full-text index
// without the text. A record's number is the same in both.
const schema = `
CREATE TABLE IF NOT EXISTS records (
	n       INTEGER PRIMARY KEY,
	id      TEXT NOT NULL UNIQUE,
	at      INTEGER NOT NULL, -- ms since 1970
	result  TEXT NOT NULL,
	waiting INTEGER NOT NULL,
	dead    INTEGER NOT NULL,
	removed INTEGER NOT NULL DEFAULT 0,
	data    BLOB NOT NULL     -- history.Record as JSON
);
CREATE INDEX IF NOT EXISTS records_at ON records (at);
CREATE INDEX IF NOT EXISTS records_result ON records (result, n) WHERE result <> 'accepted';
CREATE INDEX IF NOT EXISTS records_waiting ON records (n) WHERE waiting > 0;
CREATE INDEX IF NOT EXISTS records_dead ON records (n) WHERE dead > 0;
CREATE INDEX IF NOT EXISTS records_removed ON records (n) WHERE removed > 0;
CREATE TABLE IF NOT EXISTS forgotten (
	name TEXT PRIMARY KEY, -- history.NameSum of an address
	at   INTEGER NOT NULL  -- ms since 1970
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
	id   TEXT NOT NULL,   -- the message's
	data BLOB NOT NULL    -- history.Attempt as JSON
);
CREATE INDEX IF NOT EXISTS attempts_id ON attempts (id);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(w, content='', contentless_delete=1, detail=none, tokenize="unicode61 remove_diacritics 0");
PRAGMA user_version = 1;`

// Options bound a store.
type Options struct {
	MaxBytes int64 // of the file; the oldest records go first
	Logger   *slog.Logger
	Now      func() time.Time
}

// Store is a history.Store in a file.
type Store struct {
	o     Options
	path  string
	read  *sql.DB
	write *sql.DB
	mu    sync.Mutex // one batch at a time
	put   puts
}

var _ history.Store = (*Store)(nil)

// Open opens the history in dir. A file that can't be used is set aside.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	path := filepath.Join(dir, fileName)
	s, err := open(ctx, path, o)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	if _, gone := os.Stat(path); gone != nil {
		return nil, fmt.Errorf("history: %s: %w", path, err)
	}
	aside := path + ".damaged-" + o.Now().UTC().Format("20060102T150405")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("history: setting %s aside: %w", path, err)
		}
	}
	o.Logger.Error("the history can't be read and was set aside; a new one begins, mail isn't touched", "file", aside, "err", err)
	return open(ctx, path, o)
}

// OpenBeside opens the history of another process, for an operator's command.
// It must exist, and is never set aside.
func OpenBeside(ctx context.Context, dir string) (*Store, error) {
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("history: there is none here: %w", err)
	}
	s, err := open(ctx, path, Options{Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("history: %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, o Options) (*Store, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite's other files take its mode
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, err
	}
	s := &Store{o: o, path: path}
	s.write, err = connect(path, 1, "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-4096)", "journal_size_limit(16777216)", immediate)
	if err == nil {
		s.read, err = connect(path, 2, "query_only(1)", "cache_size(-2048)")
	}
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// immediate is among the pragmas of who writes: each transaction takes the lock
// when it begins, so that what it reads is still so when it writes.
const immediate = "immediate"

func connect(path string, conns int, pragmas ...string) (*sql.DB, error) {
	v := url.Values{"_pragma": {"busy_timeout(5000)"}}
	for _, p := range pragmas {
		if p == immediate {
			v.Set("_txlock", immediate)
		} else {
			v.Add("_pragma", p)
		}
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: v.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// puts are the prepared statements of a batch.
type puts struct{ record, words, attempt, settle, correct, forgotten, known *sql.Stmt }

func (p *puts) all() []*sql.Stmt {
	return []*sql.Stmt{p.record, p.words, p.attempt, p.settle, p.correct, p.forgotten, p.known}
}

func (s *Store) prepare(ctx context.Context) error {
	var have int
	if err := s.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have != 0 && have != version {
		return fmt.Errorf("its version is %d, this program's is %d: run the version that wrote it, or move the file away", have, version)
	}
	if have == 0 {
		if _, err := s.write.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return err
		}
	}
	if have != 0 {
		if err := s.addRemoved(ctx); err != nil {
			return err
		}
	}
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return err
	}
	var sound string
	if err := s.write.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT n FROM records ORDER BY n DESC LIMIT 1)").Scan(&sound); err != nil {
		return err
	}
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&s.put.record, "INSERT INTO records (id, at, result, waiting, dead, data) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"},
		{&s.put.words, "INSERT INTO words (rowid, w) VALUES (?, ?)"},
		{&s.put.attempt, "INSERT INTO attempts (id, data) VALUES (?, ?)"},
		{&s.put.settle, history.SettleSQL("records", "?1", "?2", "?3", "?4")},
		{&s.put.correct, "UPDATE records SET waiting = ?, dead = ?, removed = ? WHERE id = ? AND waiting = ? AND dead = ?"},
		{&s.put.forgotten, "SELECT at FROM forgotten WHERE name = ?"},
		{&s.put.known, "SELECT 1 FROM records WHERE id = ?"},
	} {
		var err error
		if *p.to, err = s.write.PrepareContext(ctx, p.sql); err != nil {
			return err
		}
	}
	return nil
}

// addRemoved adds the column to a file from before there was one. Programs from
// then write into it all the same.
func (s *Store) addRemoved(ctx context.Context) error {
	var has int
	err := s.write.QueryRowContext(ctx, "SELECT count(*) FROM pragma_table_info('records') WHERE name = 'removed'").Scan(&has)
	if err == nil && has == 0 {
		_, err = s.write.ExecContext(ctx, "ALTER TABLE records ADD COLUMN removed INTEGER NOT NULL DEFAULT 0")
	}
	return err
}

// Close implements history.Store.
func (s *Store) Close() error {
	var errs []error
	for _, p := range s.put.all() {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
