package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// errMoved says that the folder isn't the one that was opened: it was emptied,
// or another volume was mounted over it. What is written into the open files
// then is gone with the process.
var errMoved = errors.New("the queue's files were removed or replaced while it runs")

// remember notes which files are open.
func (q *Queue) remember() error {
	q.files = map[string]fs.FileInfo{}
	for _, name := range []string{"queue.db", "queue.lock", "bodies"} {
		path := filepath.Join(q.dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		q.files[path] = info
	}
	return nil
}

// checkPlace holds the folder to the files that were opened. It is asked before
// anything is accepted.
func (q *Queue) checkPlace() error {
	for path, was := range q.files {
		if is, err := os.Stat(path); err != nil || !os.SameFile(was, is) {
			return q.fail(fmt.Errorf("%w: %s", errMoved, path))
		}
	}
	return nil
}

// checkPlace is the queue's, once for all that a batch accepts.
func (t *tx) checkPlace() error {
	if t.placed {
		return nil
	}
	t.placed = true
	return t.q.checkPlace()
}
