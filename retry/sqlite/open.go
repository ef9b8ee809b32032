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
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver

	"postern/retry"
	"postern/retry/engine"
	"postern/retry/sqlite/place"
)

// Sentinels of Open.
var (
	// ErrLocked is returned when another process owns the folder.
	ErrLocked = errors.New("sqlite: another process has the queue open")
	// ErrNewerSchema is returned when a newer program wrote the database.
	ErrNewerSchema = errors.New("sqlite: the queue's schema is newer than this program")
)

// Queue is a retry.Queue in a folder.
type Queue struct {
	dir          string
	o            Options
	lock         *os.File
	place        place.Place  // the files as they were opened
	reserveTried atomic.Int64 // when, in Unix nanoseconds
	read         *sql.DB      // several connections, read only
	often        prepared     // of read: what the worker asks again and again
	write        *sql.DB      // one connection, the writer's
	check        *sql.DB      // one connection, for checkpoints
	w            *writer
	notify       engine.Hint

	usage     engine.Usage
	dedupKeys keySet
	names     keySet // endpoints that have a row
	staged    engine.Staged
	objects   engine.Objects

	unclean bool         // the last owner didn't close
	damage  *damageFound // by this start

	fatal    fatal
	stop     context.CancelFunc
	wg       sync.WaitGroup
	closed   sync.Once
	closeErr error
	turn     int // whose turn it is to be leased first; the writer's own
}

var _ retry.Queue = (*Queue)(nil)

// Open opens the queue in dir, creating it where there is none.
func Open(ctx context.Context, dir string, o Options) (*Queue, error) {
	q := &Queue{dir: dir, o: o.withDefaults(), notify: make(engine.Hint, 1)}
	q.objects.Bodies, q.objects.Meta = q.o.Bodies, q
	if err := q.open(ctx); err != nil {
		_ = q.closeFiles()
		return nil, fmt.Errorf("opening the queue in %s: %w", dir, err)
	}
	return q, nil
}

func (q *Queue) open(ctx context.Context) error {
	err := q.openFiles(ctx)
	if isFull(err) && q.spendReserve() {
		_ = q.closeFiles()
		err = q.openFiles(ctx)
	}
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.Background())
	q.stop = stop
	q.w.start(run)
	if q.o.Admin {
		return nil
	}
	if err := q.checkReserve(); err != nil { // fresh mail needs no queue: start all the same
		q.o.Logger.Error("no mail can be queued until there is room", "folder", q.dir, "err", err)
	}
	q.wg.Add(1)
	go func() { defer q.wg.Done(); q.housekeep(run) }()
	q.sweepObjects(run)
	return nil
}

func (q *Queue) openFiles(ctx context.Context) error {
	if q.o.Admin {
		return q.openBeside(ctx)
	}
	if err := q.lockFolder(); err != nil {
		return err
	}
	q.unclean = q.exists(openMarker)
	written := q.lastWritten()
	if err := q.recoverFiles(ctx); err != nil {
		return err
	}
	if err := errors.Join(q.makeBodyFolders(), q.makeDatabase()); err != nil {
		return err
	}
	err := q.openDatabase(ctx)
	if err == nil {
		how := quick
		if q.unclean {
			how = thorough
		}
		err = checkTables(ctx, q.w.conn, how, smallTables)
	}
	if errors.Is(err, errDamaged) || isDamage(err) {
		err = q.replace(ctx, err)
	}
	if err != nil {
		return err
	}
	if q.damage.any() {
		if err := q.salvageAside(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(q.remember(), q.recover(ctx, written)); err != nil {
		return err
	}
	if err := q.mark(); err != nil {
		return err
	}
	return q.loadCaches(ctx)
}

func (q *Queue) openBeside(ctx context.Context) error {
	if _, err := os.Stat(q.path("queue.db")); err != nil {
		return fmt.Errorf("there is no queue here: %w", err)
	}
	if err := q.openDatabase(ctx); err != nil {
		return err
	}
	if err := q.remember(); err != nil {
		return err
	}
	return q.loadCaches(ctx)
}

// lockFolder makes the folder, private to us, and takes the lock.
func (q *Queue) lockFolder() error {
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(q.dir, "queue.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	q.lock = lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: stop it first, or use another folder (%v)", ErrLocked, err)
	}
	return nil
}

// makeDatabase makes an empty file where there is none: SQLite's own files take
// its mode.
func (q *Queue) makeDatabase() error {
	f, err := os.OpenFile(q.path("queue.db"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	return errors.Join(syncDir(q.dir), syncDir(filepath.Dir(q.dir)))
}

func (q *Queue) makeBodyFolders() error {
	bodies := filepath.Join(q.dir, "bodies")
	if err := os.MkdirAll(filepath.Join(bodies, "tmp"), 0o700); err != nil {
		return err
	}
	for i := range 256 {
		err := os.Mkdir(filepath.Join(bodies, fmt.Sprintf("%02x", i)), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return syncDir(bodies)
}

// openDatabase opens the connections and migrates. The page size and vacuum
// mode take effect on an empty database only, before WAL.
func (q *Queue) openDatabase(ctx context.Context) error {
	sync := "FULL"
	if q.o.Unsafe {
		sync = "OFF"
	}
	var err error
	q.write, err = q.connect(1, "synchronous("+sync+")", "foreign_keys(1)", "temp_store(MEMORY)",
		"wal_autocheckpoint(0)", "cache_size(-8192)", "journal_size_limit(67108864)")
	if err != nil {
		return err
	}
	c, err := q.write.Conn(ctx)
	if err != nil {
		return err
	}
	q.w = newWriter(q, c)
	// Not in the address: the driver would sort other pragmas before the page size.
	if _, err := c.ExecContext(ctx, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if err := migrate(ctx, c, q.o.Admin); err != nil {
		return err
	}
	if err := q.w.prepare(ctx); err != nil {
		return err
	}
	if q.check, err = q.connect(1, "synchronous("+sync+")", "wal_autocheckpoint(0)", "cache_size(-512)"); err != nil {
		return err
	}
	if q.read, err = q.connect(4, "query_only(1)", "cache_size(-4096)"); err != nil {
		return err
	}
	q.often.db = q.read
	return nil
}

// busyTimeout is how long, in ms, a connection waits for another's lock: an
// operator's command may hold it.
const busyTimeout = "5000"

func (q *Queue) connect(conns int, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(filepath.Join(q.dir, "queue.db"))
	if err != nil {
		return nil, err
	}
	v := url.Values{"_pragma": append([]string{"busy_timeout(" + busyTimeout + ")"}, pragmas...)}
	v.Set("mode", "rw") // a database that is gone must not come back empty
	u := url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(0)
	return db, nil
}

// loadCaches reads what is kept in memory beside the database.
func (q *Queue) loadCaches(ctx context.Context) error {
	if err := q.names.load(ctx, q.w.conn, "SELECT name FROM endpoint"); err != nil {
		return err
	}
	if err := q.dedupKeys.load(ctx, q.w.conn, "SELECT DISTINCT key FROM taken"); err != nil {
		return err
	}
	use, err := readUsage(ctx, q.w)
	q.usage.Set(use)
	return err
}

// Close ends the writer after what is under way and closes the files.
func (q *Queue) Close() error {
	q.closed.Do(func() {
		if !q.o.Admin {
			q.noteClock(context.Background())
		}
		q.stop()
		q.w.wait()
		q.wg.Wait()
		q.closeErr = q.closeFiles()
		switch {
		case q.o.Admin || q.closeErr != nil:
		case q.fatal.get() == nil:
			_ = os.Remove(q.path(openMarker))
		default:
			_ = os.WriteFile(q.path(openMarker), []byte(markedFailed), 0o600)
		}
	})
	return q.closeErr
}

func (q *Queue) closeFiles() error {
	errs := []error{q.closeDatabases()}
	if q.lock != nil {
		errs = append(errs, q.lock.Close()) // and with it the flock
	}
	return errors.Join(errs...)
}

func (q *Queue) closeDatabases() error {
	var errs []error
	if q.w != nil {
		errs = append(errs, q.w.close())
	}
	errs = append(errs, q.often.close())
	for _, db := range []*sql.DB{q.read, q.check, q.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	q.w, q.read, q.check, q.write = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Notify implements retry.Queue.
func (q *Queue) Notify() <-chan struct{} { return q.notify }

func (q *Queue) hint() { q.notify.Give() }

func (q *Queue) now() time.Time { return q.o.Now() }
