package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"postern/gateway/kept"
)

// errNoRoom is returned when there is nothing left that could go.
var errNoRoom = errors.New("kept: the disk has no room for delivered mail")

// slack is the part of the bound that is made free at once, as a divisor.
const slack = 20

// headStart is how much more than a queue wants of a disk stays free at most: room
// for the queue to fill while kept mail gives way.
const headStart = 4 << 30

// Floor is what must stay free of the disk with dir on it: twice as much as a
// queue there wants, or headStart more, so that kept mail has given way before mail
// is refused.
func Floor(dir string, maxMessage int64) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0
	}
	return floorOf(int64(st.Blocks)*int64(st.Bsize), maxMessage)
}

func floorOf(disk, maxMessage int64) int64 {
	queue := max(disk/20, 256<<20+2*maxMessage)
	return queue + min(queue, headStart)
}

// Prune implements kept.Store.
func (s *Store) Prune(_ context.Context, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.count(); err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(s.used)) {
		if !time.Unix(at, 0).Add(s.o.Step).Before(before) {
			break
		}
		if err := os.RemoveAll(filepath.Dir(s.path(at, "x"))); err != nil {
			return fmt.Errorf("kept: %w", err)
		}
		s.total -= s.used[at]
		delete(s.used, at)
	}
	if err := s.pruneForgotten(kept.ForgottenBefore(before, s.o.Now())); err != nil {
		return err
	}
	if err := s.makeRoom(0); err != nil && !errors.Is(err, errNoRoom) {
		return err
	}
	return nil
}

// makeRoom removes the oldest files until n octets more fit into the bound and
// the disk.
func (s *Store) makeRoom(n int64) error {
	over := int64(0)
	if s.o.MaxBytes > 0 && s.total+n > s.o.MaxBytes {
		over = s.total + n - s.o.MaxBytes + s.o.MaxBytes/slack
	}
	if s.o.MinFree > 0 {
		if short := s.o.MinFree + n - s.room(); short > 0 {
			over = max(over, short+s.o.MinFree/slack)
		}
	}
	if over == 0 {
		return nil
	}
	if n > 0 && s.o.MaxBytes > 0 && n > s.o.MaxBytes {
		return fmt.Errorf("%w: a message of %d octets is larger than all that may be kept", errNoRoom, n)
	}
	enough := s.total - over
	for _, at := range slices.Sorted(maps.Keys(s.used)) {
		if s.total <= enough {
			break
		}
		if err := s.removeOldest(at, enough); err != nil {
			return err
		}
	}
	s.asked = time.Time{} // files are gone
	if s.o.MinFree > 0 && s.room()-n < s.o.MinFree {
		return errNoRoom
	}
	return nil
}

// removeOldest removes files of a folder, by their ids and so by their age, until
// the total is small enough.
func (s *Store) removeOldest(at, enough int64) error {
	dir := filepath.Dir(s.path(at, "x"))
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kept: %w", err)
	}
	for _, e := range entries {
		if s.total <= enough {
			return nil
		}
		info, err := e.Info()
		if err == nil {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return fmt.Errorf("kept: %w", err)
		}
		s.used[at] -= info.Size()
		s.total -= info.Size()
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kept: %w", err)
	}
	s.total -= s.used[at] // what another process removed
	delete(s.used, at)
	return nil
}

// count sums up what an earlier process left, once.
func (s *Store) count() error {
	if s.counted {
		return nil
	}
	for _, at := range s.folders() {
		entries, err := os.ReadDir(filepath.Dir(s.path(at, "x")))
		if err != nil {
			return fmt.Errorf("kept: %w", err)
		}
		s.used[at] = 0
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				s.used[at] += info.Size()
				s.total += info.Size()
			}
		}
	}
	s.counted = true
	return nil
}
