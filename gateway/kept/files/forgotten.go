package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"postern/gateway/kept"
)

// forgotten is the folder of who was forgotten: a file each, named after the
// name's sum, with the time in milliseconds.
const forgotten = "forgotten"

// Forget implements kept.Store. The note of it comes before the search: a file
// that the search comes too early for is written by a Put that sees the note.
func (s *Store) Forget(ctx context.Context, address string) (int, error) {
	if err := s.noteForgotten(address); err != nil {
		return 0, fmt.Errorf("kept: %w", err)
	}
	gone := map[string]bool{}
	for _, at := range s.folders() {
		entries, err := os.ReadDir(filepath.Dir(s.path(at, "x")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return len(gone), fmt.Errorf("kept: %w", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return len(gone), err
			}
			if !s.concerns(at, e.Name(), kept.Name(address)) {
				continue
			}
			if err := os.Remove(s.path(at, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return len(gone), fmt.Errorf("kept: %w", err)
			}
			gone[e.Name()] = true
		}
	}
	return len(gone), nil
}

// concerns reports whether a file's record has the name. One that can't be read
// may have it, and is of no use.
func (s *Store) concerns(at int64, id, name string) bool {
	f, err := os.Open(s.path(at, id))
	if err != nil {
		return false
	}
	defer f.Close()
	r, _, err := readRecord(f)
	return err != nil || slices.Contains(r.Names, name)
}

// noteForgotten replaces a note in one step: a reader finds the old or the new one.
func (s *Store) noteForgotten(address string) error {
	dir := filepath.Join(s.dir, forgotten)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".note-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatInt(s.o.Now().UnixMilli(), 10))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, kept.Sum(kept.Name(address))))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// isForgotten reports whether somebody whom the record names was forgotten since
// it was received; a note that can't be read says so.
func (s *Store) isForgotten(r kept.Record) bool {
	for _, name := range r.Names {
		at, err := readNote(filepath.Join(s.dir, forgotten, kept.Sum(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || r.Received.UnixMilli() <= at {
			return true
		}
	}
	return false
}

func readNote(path string) (at int64, err error) {
	note, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(note), 10, 64)
}

// notesEvery is how often old notes are looked for.
const notesEvery = time.Hour

// pruneForgotten removes the notes from before, now and then.
func (s *Store) pruneForgotten(before time.Time) error {
	now := s.o.Now()
	if now.Sub(s.looked) < notesEvery {
		return nil
	}
	s.looked = now
	dir := filepath.Join(s.dir, forgotten)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kept: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if at, err := readNote(path); err != nil || at >= before.UnixMilli() {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kept: %w", err)
		}
	}
	return nil
}
