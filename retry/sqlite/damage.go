package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"postern/retry/engine"
	"postern/retry/sqlite/wal"
)

// A damaged store speaks. Open looks at the files before SQLite does, which
// would take a damaged log for a shorter one and a missing database for a new
// one. What it finds is told as an error; what was damaged is set aside, whole,
// in lost+found; and the mail in it is taken over as far as its checksums hold.

// lostFound is the folder of what was set aside.
const lostFound = "lost+found"

// damageFound is what Open found, and what it did about it.
type damageFound struct {
	what  string // "" nothing
	aside string // folder with the files as they were
	log   *wal.Log
}

func (d *damageFound) any() bool { return d.what != "" }

func (q *Queue) path(name ...string) string {
	return filepath.Join(append([]string{q.dir}, name...)...)
}

// look says what is wrong with the files, before SQLite opens them.
func (q *Queue) look() (*damageFound, error) {
	d := &damageFound{}
	var err error
	if d.log, err = wal.Read(q.path("queue.db-wal")); err != nil {
		return nil, err
	}
	err = wal.CheckFirstPage(q.path("queue.db"))
	missing := isMissing(err)
	if info, statErr := os.Stat(q.path("queue.db")); statErr == nil && info.Size() == 0 {
		missing = true
	}
	lost := wal.Promised(q.path("queue.db-shm"), q.path("queue.db-wal")) - d.log.Whole()
	switch {
	case missing && (d.log.Frames() > 0 || lost > 0 || q.hasBodies()):
		d.what = "the database is missing"
	case missing:
	case err != nil:
		d.what = "the database's first page is damaged"
	case d.log.Behind():
		d.what = "the database's log is damaged in the middle"
	case lost > 0:
		d.what = fmt.Sprintf("the database's log ends %d pages too early", lost)
	case q.killed() && !q.exists("queue.db-wal"):
		d.what = "the database's log is missing"
	}
	return d, nil
}

func (q *Queue) exists(name string) bool {
	_, err := os.Stat(q.path(name))
	return err == nil
}

func (q *Queue) hasBodies() bool {
	files, _ := filepath.Glob(q.path("bodies", "??", "*"))
	return len(files) > 0
}

// databaseFiles are set aside together.
var databaseFiles = []string{"queue.db", "queue.db-wal", "queue.db-shm"}

// setAside moves the database's files to lost+found, as they are.
func (q *Queue) setAside(d *damageFound) error {
	d.aside = q.path(lostFound, time.Now().UTC().Format("20060102T150405.000000000"))
	if err := os.MkdirAll(d.aside, 0o700); err != nil {
		return err
	}
	for _, name := range databaseFiles {
		if err := os.Rename(q.path(name), filepath.Join(d.aside, name)); err != nil && !isMissing(err) {
			return err
		}
	}
	q.o.Logger.Error("the queue's files are damaged: they are set aside, and what they hold is taken over as far as its checksums hold",
		"damage", d.what, "aside", d.aside)
	return errors.Join(syncDir(d.aside), syncDir(q.path(lostFound)), syncDir(q.dir))
}

// restore puts a database in the place of the one that was set aside: all that
// the log holds, where nothing is missing from it; else what SQLite would have
// read. The rest is left to salvage.
func (q *Queue) restore(ctx context.Context, d *damageFound) error {
	db, log := filepath.Join(d.aside, "queue.db"), filepath.Join(d.aside, "queue.db-wal")
	candidates := []int{d.log.Whole()}
	if n := d.log.Committed(); n > d.log.Whole() && !d.log.Holes() {
		candidates = []int{n, d.log.Whole()}
	}
	for _, frames := range candidates {
		if frames == 0 && !isFile(db) {
			continue
		}
		made := q.path("queue.db.new")
		err := d.log.Image(made, db, log, frames)
		if err == nil {
			err = sound(ctx, made)
		}
		if err == nil {
			q.o.Logger.Warn("a sound database was made of the damaged files", "pages_of_the_log", frames, "of", d.log.Frames())
			return errors.Join(os.Rename(made, q.path("queue.db")), syncDir(q.dir))
		}
		_ = os.Remove(made)
		if errors.Is(err, fs.ErrPermission) || noSpace(err) {
			return err
		}
	}
	return nil // a new one is made
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// sound checks a database that stands alone.
func sound(ctx context.Context, path string) error {
	db, err := openAlone(path)
	if err != nil {
		return err
	}
	defer db.Close()
	return checkTables(ctx, db, thorough, append(slices.Clone(smallTables), "body"))
}

// openAlone opens a database that nobody writes.
func openAlone(path string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&immutable=1"}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// smallTables are all but the bodies, whose checksums are looked at when they
// are delivered.
var smallTables = []string{"meta", "usage", "message", "delivery", "attempt", "endpoint", "taken"}

// check is how tables are looked through.
type check string

const (
	thorough check = "integrity_check" // each row against each index
	quick    check = "quick_check"     // the pages; for after a clean end
)

// errDamaged is what checkTables found.
var errDamaged = errors.New("sqlite: the database is damaged")

// querier is a database or a connection to one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkTables reads tables and their indexes as a whole and holds the counts
// against what they count: a row that no index names is never delivered.
func checkTables(ctx context.Context, db querier, how check, tables []string) error {
	for _, t := range tables {
		var said string
		if err := db.QueryRowContext(ctx, fmt.Sprintf("PRAGMA %s(%s)", how, t)).Scan(&said); err != nil {
			return fmt.Errorf("checking table %s: %w", t, err)
		}
		if said != "ok" {
			return fmt.Errorf("%w: table %s: %s", errDamaged, t, said)
		}
	}
	queries := []string{statesSQL}
	if how == thorough {
		queries = append(queries, countsSQL)
	}
	for _, sql := range queries {
		var wrong int
		if err := db.QueryRowContext(ctx, sql).Scan(&wrong); err != nil {
			return fmt.Errorf("checking the rows: %w", err)
		}
		if wrong > 0 {
			return fmt.Errorf("%w: %d rows contradict one another", errDamaged, wrong)
		}
	}
	return nil
}

// statesSQL counts rows that can't be, countsSQL messages whose deliveries are
// not as many as they say.
const (
	statesSQL = `SELECT (SELECT count(*) FROM delivery d WHERE state NOT IN (0, 1, 2) OR leased_from NOT IN (0, 1, 2)) +
		(SELECT count(*) FROM usage WHERE bytes <> (SELECT coalesce(sum(size), 0) FROM message) OR messages <> (SELECT count(*) FROM message))`
	countsSQL = `SELECT (SELECT count(*) FROM delivery d WHERE NOT EXISTS (SELECT 1 FROM message WHERE n = d.message)) +
		(SELECT count(*) FROM message m LEFT JOIN (SELECT message, sum(state <> 2) AS live, sum(state = 2) AS dead FROM delivery GROUP BY message) c
			ON c.message = m.n WHERE m.live <> coalesce(c.live, 0) OR m.dead <> coalesce(c.dead, 0))`
)

// recoverFiles looks at the files and, where they are damaged, puts sound ones
// in their place. What it sets aside is salvaged once the database is open.
func (q *Queue) recoverFiles(ctx context.Context) error {
	d, err := q.look()
	if err != nil {
		return fmt.Errorf("looking for damage: %w", err)
	}
	q.damage = d
	if !d.any() {
		return nil
	}
	if err := q.setAside(d); err != nil {
		return fmt.Errorf("setting damaged files aside: %w", err)
	}
	return q.restore(ctx, d)
}

// replace sets a database aside that turned out to be damaged once it was open.
func (q *Queue) replace(ctx context.Context, why error) error {
	_ = q.closeDatabases() // and with them the log goes into the database
	var err error
	if q.damage.log, err = wal.Read(q.path("queue.db-wal")); err != nil {
		return err
	}
	q.damage.what = why.Error()
	if err := q.setAside(q.damage); err != nil {
		return fmt.Errorf("setting damaged files aside: %w", err)
	}
	if err := q.makeDatabase(); err != nil {
		return err
	}
	return q.openDatabase(ctx)
}

// salvageAside takes over what the files that were set aside hold and the
// database doesn't.
func (q *Queue) salvageAside(ctx context.Context) error {
	d := q.damage
	db, log := filepath.Join(d.aside, "queue.db"), filepath.Join(d.aside, "queue.db-wal")
	sources := []int{d.log.Committed()}
	if d.log.Whole() != sources[0] {
		sources = append(sources, d.log.Whole())
	}
	total := salvaged{}
	for _, frames := range sources {
		if frames == 0 && !isFile(db) {
			continue
		}
		from := filepath.Join(d.aside, "image.db")
		if err := d.log.Image(from, db, log, frames); err != nil {
			return err
		}
		got, err := q.salvage(ctx, from)
		_ = os.Remove(from)
		if err != nil {
			return err
		}
		total.messages, total.deliveries, total.unreadable = total.messages+got.messages, total.deliveries+got.deliveries, max(total.unreadable, got.unreadable)
	}
	use := engine.Stored{}
	if err := q.w.conn.QueryRowContext(ctx, usageSQL).Scan(use.Dest()...); err != nil {
		return err
	}
	q.o.Logger.Error("the queue goes on with what could be read of the damaged files; whatever isn't there is in lost+found",
		"damage", d.what, "aside", d.aside, "messages", use.Messages, "salvaged_messages", total.messages, "salvaged_deliveries", total.deliveries, "unreadable_rows", total.unreadable)
	return nil
}
