// Package files keeps delivered mail in a folder beside the queue's, a file a
// message: the record as a line of JSON, the octets, their SHA-256. Nothing is
// fsynced. A file that a crash cut short is not found, one that differs from
// its checksum is retry.ErrCorrupt.
//
// Files lie in folders by the time at which they were kept, so that the oldest
// are found without looking at the others.
package files

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"postern/gateway/kept"
)

// folder is ours, in the store's.
const folder = "kept"

// maxRecord bounds the line of JSON that a file begins with.
const maxRecord = 16 << 20

// Options bound a store.
type Options struct {
	MaxBytes int64         // of all files; 0 for no bound
	MinFree  int64         // octets of the disk that stay free; kept mail gives way to others
	Step     time.Duration // how much time one folder holds; at least a minute
	Now      func() time.Time
}

// Store is a kept.Store in a folder.
type Store struct {
	o   Options
	dir string

	mu      sync.Mutex
	counted bool
	used    map[int64]int64 // octets by folder
	total   int64
	left    int64     // of the disk, about
	asked   time.Time // when the disk was
	looked  time.Time // when old notes of who was forgotten were looked for

	slots chan struct{} // of those who open
}

var _ kept.Store = (*Store)(nil)

// Open opens the store in dir, which may not have any yet.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Step = max(o.Step, time.Minute)
	s := &Store{o: o, dir: filepath.Join(dir, folder), used: map[int64]int64{}, slots: make(chan struct{}, opening)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("kept: %w", err)
	}
	return s, nil
}

// OpenBeside opens the store of another process, for an operator's command; what
// isn't there is an error.
func OpenBeside(dir string) (*Store, error) {
	s := &Store{o: Options{Now: time.Now, Step: time.Minute}, dir: filepath.Join(dir, folder), used: map[int64]int64{}, slots: make(chan struct{}, opening)}
	if _, err := os.Stat(s.dir); err != nil {
		return nil, fmt.Errorf("kept: no mail is kept here: %w", err)
	}
	return s, nil
}

// Close implements kept.Store.
func (s *Store) Close() error { return nil }

// Put implements kept.Store.
func (s *Store) Put(ctx context.Context, r kept.Record, body io.Reader) error {
	if !sound(r.ID) {
		return fmt.Errorf("kept: %q is no id", r.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.count(); err != nil {
		return err
	}
	if err := s.makeRoom(r.Size); err != nil {
		return err
	}
	at := s.o.Now().Truncate(s.o.Step).Unix()
	path := s.path(at, r.ID)
	if _, known := s.used[at]; !known {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("kept: %w", err)
		}
		s.used[at] = 0
	}
	size, err := write(path, r, whileIn(ctx, body))
	if errors.Is(err, fs.ErrExist) {
		return nil // it was kept a moment ago
	}
	if err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("kept: %w", err)
	}
	if s.isForgotten(r) { // looked at last: who forgets now finds the file
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kept: %w", err)
		}
		return nil
	}
	s.used[at] += size
	s.total += size
	s.left -= size
	return nil
}

// write makes a file and returns its octets. A file that it doesn't end is told by
// its size.
func write(path string, r kept.Record, body io.Reader) (int64, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(f, int(min(int64(len(line))+r.Size+sha256.Size+1, writeAtOnce))) // mostly a single call
	h := sha256.New()
	_, err = out.Write(append(line, '\n'))
	if err == nil {
		var n int64
		if n, err = io.Copy(io.MultiWriter(out, h), body); err == nil && n != r.Size {
			err = fmt.Errorf("%d octets of %d came", n, r.Size)
		}
	}
	if err == nil {
		_, err = out.Write(h.Sum(nil))
	}
	if err == nil {
		err = out.Flush()
	}
	return int64(len(line)) + 1 + r.Size + sha256.Size, errors.Join(err, f.Close())
}

// whileIn reads r until ctx ends: a slow disk has its time.
func whileIn(ctx context.Context, r io.Reader) io.Reader { return timed{ctx, r} }

type timed struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (t timed) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	return t.r.Read(p)
}

// writeAtOnce is how much of a file is written with one call at most, in octets.
const writeAtOnce = 64 << 10

// Names implements kept.Store.
func (s *Store) Names(ctx context.Context, address string) (int, error) {
	named := map[string]bool{} // a message that was kept twice is one
	for _, at := range s.folders() {
		entries, err := os.ReadDir(filepath.Dir(s.path(at, "x")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return len(named), fmt.Errorf("kept: %w", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return len(named), err
			}
			if s.concerns(at, e.Name(), kept.Name(address)) {
				named[e.Name()] = true
			}
		}
	}
	return len(named), nil
}

// sound reports whether an id is one of ours: it becomes a file's name.
func sound(id string) bool {
	return id != "" && len(id) <= 100 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (s *Store) path(at int64, id string) string {
	return filepath.Join(s.dir, strconv.FormatInt(at, 10), id)
}

// folders are the times of ours, oldest first.
func (s *Store) folders() []int64 {
	entries, _ := os.ReadDir(s.dir)
	var all []int64
	for _, e := range entries {
		if at, err := strconv.ParseInt(e.Name(), 10, 64); err == nil {
			all = append(all, at)
		}
	}
	slices.Sort(all)
	return all
}

// askEvery is how often the disk is asked how much of it is free.
const askEvery = time.Second

// room is how much of the disk was free a moment ago, less what was written since.
func (s *Store) room() int64 {
	if now := time.Now(); now.Sub(s.asked) > askEvery {
		s.left, s.asked = s.free(), now
	}
	return s.left
}

// free is how much of the disk is, and more than any bound where nobody can say.
func (s *Store) free() int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return 1 << 62
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
