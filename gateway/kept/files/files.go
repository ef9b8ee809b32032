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
	"postern/retry"
	"postern/retry/engine"
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
}

var _ kept.Store = (*Store)(nil)

// Open opens the store in dir, which may not have any yet.
func Open(dir string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Step = max(o.Step, time.Minute)
	s := &Store{o: o, dir: filepath.Join(dir, folder), used: map[int64]int64{}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("kept: %w", err)
	}
	return s, nil
}

// OpenBeside opens the store of another process, for an operator's command; what
// isn't there is an error.
func OpenBeside(dir string) (*Store, error) {
	s := &Store{o: Options{Now: time.Now, Step: time.Minute}, dir: filepath.Join(dir, folder), used: map[int64]int64{}}
	if _, err := os.Stat(s.dir); err != nil {
		return nil, fmt.Errorf("kept: no mail is kept here: %w", err)
	}
	return s, nil
}

// Close implements kept.Store.
func (s *Store) Close() error { return nil }

// Put implements kept.Store.
func (s *Store) Put(_ context.Context, r kept.Record, body io.Reader) error {
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
	size, err := write(path, r, body)
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

// writeAtOnce is how much of a file is written with one call at most, in octets.
const writeAtOnce = 64 << 10

// OpenMessage implements kept.Store.
func (s *Store) OpenMessage(_ context.Context, id string) (retry.Message, retry.StoredBody, error) {
	if !sound(id) {
		return retry.Message{}, nil, fmt.Errorf("kept: %w", kept.ErrNotFound)
	}
	for _, at := range slices.Backward(s.folders()) { // the last time that it was kept
		f, err := os.Open(s.path(at, id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return retry.Message{}, nil, fmt.Errorf("kept: %w", err)
		}
		m, body, err := read(f)
		if err != nil {
			_ = f.Close()
			return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, err)
		}
		return m, body, nil
	}
	return retry.Message{}, nil, fmt.Errorf("kept: message %s: %w", id, kept.ErrNotFound)
}

func read(f *os.File) (retry.Message, retry.StoredBody, error) {
	r, begins, err := readRecord(f)
	if err != nil {
		return retry.Message{}, nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() != begins+r.Size+sha256.Size {
		return retry.Message{}, nil, errors.Join(kept.ErrNotFound, err)
	}
	r.SHA256 = make([]byte, sha256.Size)
	if _, err := f.ReadAt(r.SHA256, begins+r.Size); err != nil {
		return retry.Message{}, nil, err
	}
	m := r.Message()
	return m, engine.ReaderBody(io.NewSectionReader(f, begins, r.Size), f, m.Body, f.Name()), nil
}

// readRecord reads the line that a file begins with, and says where the octets
// begin.
func readRecord(f *os.File) (r kept.Record, begins int64, err error) {
	line, err := bufio.NewReaderSize(io.LimitReader(f, maxRecord), 8<<10).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return r, 0, fmt.Errorf("its record can't be read: %w", errors.Join(kept.ErrNotFound, err))
	}
	return r, int64(len(line)), nil
}

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
