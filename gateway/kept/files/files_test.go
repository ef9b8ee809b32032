package files

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"postern/gateway/kept"
	"postern/gateway/kept/kepttest"
	"postern/retry"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	kepttest.Run(t, func(t *testing.T, maxBytes int64, c *kepttest.Clock) kept.Store {
		return open(t, t.TempDir(), Options{MaxBytes: maxBytes, Now: c.Now})
	})
}

func put(t *testing.T, s *Store, n, size int) error {
	t.Helper()
	r, body := kepttest.Record(n, size)
	return s.Put(t.Context(), r, bytes.NewReader(body))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a process left is counted by the next one: its bound holds for both.
func TestNextProcess(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, Options{})
	for n := range 10 {
		must(t, put(t, first, n, 4<<10))
	}
	next := open(t, dir, Options{MaxBytes: 20 << 10})
	must(t, next.Prune(t.Context(), time.Time{}))
	if next.total > 20<<10 || next.total < 10<<10 {
		t.Errorf("%d octets are left", next.total)
	}
}

// A message that is kept twice, since it had two deliveries, is counted once as
// long as it lies there once.
func TestCountedOnce(t *testing.T) {
	c := &kepttest.Clock{Time: time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	s := open(t, dir, Options{Now: c.Now})
	for _, step := range []time.Duration{0, time.Second, time.Minute} {
		c.Time = c.Add(step)
		must(t, put(t, s, 1, 4<<10))
		next := open(t, dir, Options{Now: c.Now})
		must(t, next.Prune(t.Context(), time.Time{}))
		if s.total != next.total || s.total == 0 {
			t.Errorf("%d octets are counted, %d lie there", s.total, next.total)
		}
	}
}

// Kept mail gives way to whoever needs the disk, all of it if need be, and is
// dropped then.
func TestGivesWay(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for n := range 4 {
		must(t, put(t, s, n, 4<<10))
	}
	s.o.MinFree = s.free() * 2
	must(t, s.Prune(t.Context(), time.Time{}))
	if s.total != 0 || len(s.folders()) != 0 {
		t.Errorf("%d octets are left in %v", s.total, s.folders())
	}
	if err := put(t, s, 5, 10); !errors.Is(err, errNoRoom) {
		t.Errorf("on a full disk: %v", err)
	}
	s.o.MinFree = 1
	must(t, put(t, s, 5, 10))
}

// A file that was cut short isn't there, one that was changed is never whole.
func TestDamage(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	must(t, put(t, s, 1, 5000))
	r, _ := kepttest.Record(1, 0)
	path := s.path(s.folders()[0], r.ID)
	whole, err := os.ReadFile(path)
	must(t, err)
	for _, cut := range []int{0, 10, 100, len(whole) - 5020, len(whole) - 1} {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		if _, _, err := s.OpenMessage(t.Context(), r.ID); !errors.Is(err, kept.ErrNotFound) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	whole[len(whole)-100] ^= 1
	must(t, os.WriteFile(path, whole, 0o600))
	_, body, err := s.OpenMessage(t.Context(), r.ID)
	must(t, err)
	defer body.Close()
	if err := body.Verify(); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("a changed octet: %v", err)
	}
}

// An operator's command finds what a gateway keeps, and makes nothing.
func TestBeside(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenBeside(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing is there: %v", err)
	}
	owner := open(t, dir, Options{})
	must(t, put(t, owner, 1, 10))
	s, err := OpenBeside(dir)
	must(t, err)
	if n, err := s.Forget(t.Context(), "sales@in.example"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	owner.o.MaxBytes = 10
	if err := put(t, owner, 2, 10); err != nil && !errors.Is(err, errNoRoom) {
		t.Errorf("after another process removed files: %v", err)
	}
}

// A disk that hangs while a message is opened is an error within the caller's time.
func TestOpenHangs(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{Step: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	path := s.path(time.Now().Truncate(time.Hour).Unix(), "m1")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), syscall.Mkfifo(path, 0o600)); err != nil { // it opens once somebody writes
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range opening + 1 {
		if _, _, err := s.OpenMessage(ctx, "m1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
	if n := len(s.slots); n == 0 || n > opening {
		t.Errorf("%d goroutines are left to the disk", n)
	}
	for end := time.Now().Add(time.Minute); len(s.slots) > 0 && time.Now().Before(end); {
		if w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = w.Close()
		}
		time.Sleep(time.Millisecond)
	}
	if len(s.slots) > 0 {
		t.Error("those who opened never came back")
	}
}

func TestFloor(t *testing.T) {
	const gib = 1 << 30
	for _, row := range []struct{ disk, message, want int64 }{
		{1 * gib, 50 << 20, 2 * (256<<20 + 100<<20)}, {20 * gib, 50 << 20, 2 * gib}, {80 * gib, 50 << 20, 8 * gib}, {2000 * gib, 50 << 20, 104 * gib},
	} {
		if got := floorOf(row.disk, row.message); got != row.want {
			t.Errorf("of %d GiB, %d stay free, want %d", row.disk/gib, got, row.want)
		}
	}
}
