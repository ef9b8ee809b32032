package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// openMarker is there while an owner has the queue open: found at a start it
// says that the last one didn't end well.
const openMarker = "queue.open"

// What the marker says: the owner was killed, or it closed the files although it
// could not write any more.
const (
	markedOpen   = "open\n"
	markedFailed = "failed\n"
)

// killed says that the last owner didn't even close the files.
func (q *Queue) killed() bool {
	said, err := os.ReadFile(q.path(openMarker))
	return err == nil && string(said) != markedFailed
}

// Unclean says that the last owner didn't close the queue: it was killed, or
// one of the mails ended it.
func (q *Queue) Unclean() bool { return q.unclean }

func (q *Queue) mark() error {
	if err := os.WriteFile(q.path(openMarker), []byte(markedOpen), 0o600); err != nil && !noSpace(err) {
		return err
	}
	return syncDir(q.dir)
}

// lastWritten is when the database or its log were last written.
func (q *Queue) lastWritten() (last time.Time) {
	for _, name := range []string{"queue.db", "queue.db-wal"} {
		if info, err := os.Stat(q.path(name)); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// intakeLimit is how long a body may be stored before the message that names
// it is.
const intakeLimit = 2 * time.Minute

// sweepFiles removes body files that no message names because a crash left
// them behind, and sets those aside whose message is missing.
func (q *Queue) sweepFiles(ctx context.Context, written time.Time) error {
	named, dropped := keySet{}, keySet{}
	if err := named.load(ctx, q.w.conn, "SELECT file FROM message WHERE file < 'object:'"); err != nil {
		return err
	}
	if err := dropped.load(ctx, q.w.conn, "SELECT file FROM dropped WHERE file < 'object:'"); err != nil {
		return err
	}
	aside := 0
	err := q.eachBody(func(folder string, info os.FileInfo) error {
		name := info.Name()
		path := q.path("bodies", folder, name)
		switch {
		case folder != "tmp" && named.has(name):
			named.drop(name)
			return nil
		case folder == "tmp" || dropped.has(name) || !q.damage.any() && changed(info).After(written.Add(-intakeLimit)):
			return ignoreMissing(os.Remove(path))
		}
		aside++
		to := q.path(lostFound, "bodies")
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		return os.Rename(path, filepath.Join(to, name))
	})
	if err != nil {
		return err
	}
	if aside > 0 {
		q.o.Logger.Error("stored mail that no message of the database names is set aside", "count", aside, "folder", q.path(lostFound, "bodies"))
	}
	if n := named.size(); n > 0 {
		q.o.Logger.Error("the stored bodies of messages are missing; they become dead letters when their turn comes", "count", n, "folder", q.path("bodies"))
	}
	_, err = q.w.conn.ExecContext(ctx, "DELETE FROM dropped WHERE file < 'object:'")
	return q.w.classifyFull(err)
}

// eachBody goes through the body files by folder.
func (q *Queue) eachBody(do func(folder string, info os.FileInfo) error) error {
	folders, err := os.ReadDir(q.path("bodies"))
	if err != nil {
		return err
	}
	for _, d := range folders {
		files, err := os.ReadDir(q.path("bodies", d.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			info, err := f.Info()
			if err == nil {
				err = do(d.Name(), info)
			}
			if ignoreMissing(err) != nil {
				return err
			}
		}
	}
	return nil
}

func ignoreMissing(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}

// changed is when the file was linked or renamed to where it is.
func changed(info os.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return info.ModTime()
}

// forgetDropped forgets body files that are gone.
func (q *Queue) forgetDropped(ctx context.Context, t *tx) error {
	files, err := t.strings(ctx, "SELECT file FROM dropped WHERE file < 'object:' LIMIT 10000")
	if err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.Lstat(q.bodyPath(f)); !isMissing(err) {
			continue
		}
		if err := t.exec(ctx, "DELETE FROM dropped WHERE file = ?", f); err != nil {
			return err
		}
	}
	return nil
}

// aside counts what was set aside and nobody has looked at yet: mail, and
// folders with a damaged database.
func (q *Queue) aside() (n int64) {
	for _, folder := range []string{q.path(lostFound), q.path(lostFound, "bodies")} {
		files, _ := os.ReadDir(folder)
		for _, f := range files {
			if f.Name() != "bodies" {
				n++
			}
		}
	}
	return n
}
