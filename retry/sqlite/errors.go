package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"postern/retry"
)

// fatal keeps the first error after which nothing more is written.
type fatal struct {
	mu  sync.Mutex
	err error
}

func (f *fatal) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// set says whether this was the first.
func (f *fatal) set(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = err
	return true
}

// fail makes the queue unhealthy: it writes nothing more.
func (q *Queue) fail(err error) error {
	err = fmt.Errorf("%w: %w: end the program and start it again, recovery decides", retry.ErrUnhealthy, err)
	if q.fatal.set(err) {
		q.o.Logger.Error("the retry queue can't write any more", "err", err)
		q.o.OnFatal(err)
	}
	return q.fatal.get()
}

// classify turns an error of the database into one that the caller decides on.
func (w *writer) classify(err error, committing bool) error {
	if errors.Is(err, retry.ErrUnhealthy) || isRefusal(err) {
		return err
	}
	if isFull(err) {
		w.q.spendReserve()
		return fmt.Errorf("%w: %w", retry.ErrFull, err)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if committing || isIO(err) {
			return w.q.fail(err)
		}
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return w.q.fail(err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED: // an operator's command holds the lock
		return err
	}
	if committing {
		return w.q.fail(err)
	}
	return err
}

// classifyFull is classify where a full disk is no reason to stop.
func (w *writer) classifyFull(err error) error {
	if err == nil {
		return nil
	}
	if err = w.classify(err, false); errors.Is(err, retry.ErrFull) {
		return nil
	}
	return err
}

// fileError is classify for the body files.
func (q *Queue) fileError(what string, err error) error {
	if noSpace(err) {
		q.spendReserve()
		return fmt.Errorf("%w: %s: %w", retry.ErrFull, what, err)
	}
	if isIO(err) {
		return q.fail(fmt.Errorf("%s: %w", what, err))
	}
	return fmt.Errorf("%s: %w", what, err)
}

// noSpace says that the disk, a quota or a file's size limit is used up.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func isIO(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EROFS)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// isDamage says that the database itself is unreadable at that place.
func isDamage(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	c := e.Code() & 0xff
	return c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB
}
