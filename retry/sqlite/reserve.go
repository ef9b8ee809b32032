package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"modernc.org/sqlite"

	"postern/retry"
)

// reserveSize is the room that is kept for settling, deleting and starting
// again when others have filled the disk: the log and the shared index of a
// few thousand small writes.
const reserveSize = 4 << 20

// reserveEvery is how often it is tried to make the reserve again.
const reserveEvery = time.Second

func (q *Queue) reservePath() string { return filepath.Join(q.dir, "queue.reserve") }

// checkReserve refuses mail while the reserve is spent and can't be made again.
func (q *Queue) checkReserve() error {
	if _, err := os.Stat(q.reservePath()); err == nil || q.keepReserve() {
		return nil
	}
	return fmt.Errorf("%w: the disk is full and the reserve for what waits is spent", retry.ErrFull)
}

// keepReserve makes the reserve where there is room for it and as much again.
func (q *Queue) keepReserve() bool {
	now := q.o.Now().UnixNano()
	if last := q.reserveTried.Swap(now); last != 0 && now-last < int64(reserveEvery) && now >= last {
		q.reserveTried.Store(last)
		return false
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(q.dir, &s); err != nil || int64(s.Bavail)*int64(s.Bsize) < 2*reserveSize {
		return false
	}
	// Written, not only sized: a hole takes no room.
	if err := os.WriteFile(q.reservePath(), make([]byte, reserveSize), 0o600); err != nil {
		_ = os.Remove(q.reservePath())
		return false
	}
	return true
}

// spendReserve gives the reserve up; false where it was given up before.
func (q *Queue) spendReserve() bool {
	if os.Remove(q.reservePath()) != nil {
		return false
	}
	q.reserveTried.Store(0)
	q.o.Logger.Error("the disk is full: the reserve is given up for what waits, and no mail is queued until there is room", "folder", q.dir)
	return true
}

// isFull says that the disk was full for the database or for a file.
func isFull(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, retry.ErrFull) || noSpace(err) || errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}
