package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"postern/retry"
)

// TestFolderTaken removes, and replaces, what the queue has open: from then on
// nothing is accepted, since it would be gone with the process.
func TestFolderTaken(t *testing.T) {
	for _, name := range []string{"queue.db", "queue.lock", "bodies"} {
		for _, replaced := range []bool{false, true} {
			dir := t.TempDir()
			told := make(chan error, 1)
			q, err := Open(context.Background(), dir, Options{MinFree: -1, OnFatal: func(err error) { told <- err }})
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Health(context.Background()); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, name)
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			if replaced {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := enqueueOne(q, "m", crashBody{data: []byte("x")}); !errors.Is(err, retry.ErrUnhealthy) {
				t.Errorf("%s, replaced %v: enqueueing said %v", name, replaced, err)
			}
			if err := q.Health(context.Background()); !errors.Is(err, retry.ErrUnhealthy) || len(told) != 1 {
				t.Errorf("%s, replaced %v: Health said %v, OnFatal was called %d times", name, replaced, err, len(told))
			}
			_ = q.Close()
		}
	}
}
