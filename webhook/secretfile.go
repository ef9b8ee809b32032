package webhook

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// SecretFile is a SecretSource that reads a file, trailing line end trimmed,
// again whenever the file changes. While the file can't be read, the last value
// holds; the error is that of the first reading.
func SecretFile(path string) (SecretSource, error) {
	f := &secretFile{path: path}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	return f.current, nil
}

type secretFile struct {
	path string

	mu    sync.Mutex
	value Secret
	mtime time.Time
	size  int64
}

// current is called for each POST: a stat, and a reading only after a change.
func (f *secretFile) current() Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	if st, err := os.Stat(f.path); err == nil && (!st.ModTime().Equal(f.mtime) || st.Size() != f.size) {
		_ = f.load() // the last value holds
	}
	return f.value
}

func (f *secretFile) load() error {
	st, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	f.value, f.mtime, f.size = Secret(strings.TrimRight(string(b), "\r\n")), st.ModTime(), st.Size()
	return nil
}
