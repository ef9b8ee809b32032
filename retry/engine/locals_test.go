package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
)

// Files are shared, bounded, and closed when nobody has read them for a while.
func TestLocals(t *testing.T) {
	dir := t.TempDir()
	s := NewLocals(dir, 100)
	fetched := 0
	fill := func(f *os.File) error { fetched++; _, err := f.WriteString("octets"); return err }
	open := func(name string, size int64) *local {
		t.Helper()
		l, err := s.open(t.Context(), name, size, fill)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, again, b := open("a", 60), open("a", 60), open("b", 40)
	if fetched != 2 || a != again || s.used != 100 {
		t.Errorf("%d fetched, %d used", fetched, s.used)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("files have names: %v", left)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.open(ctx, "c", 1, fill); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beyond the bound: %v", err)
	}
	s.release(a, false)
	s.release(again, false)
	s.release(open("a", 60), false) // idle, not gone
	if fetched != 2 {
		t.Errorf("%d fetched", fetched)
	}
	s.release(open("c", 30), false) // takes the idle one's room
	if s.used != 70 || len(s.all) != 2 {
		t.Errorf("%d used by %d", s.used, len(s.all))
	}
	s.release(b, false)
	s.release(open("huge", 1000), false) // alone it may be larger than the bound
	failed := errors.New("no")
	if _, err := s.open(t.Context(), "d", 1, func(*os.File) error { return failed }); !errors.Is(err, failed) || s.all["d"] != nil {
		t.Errorf("a failed one: %v", err)
	}
	s.release(open("d", 1), false)
	s.Expire(time.Now().Add(2 * idleFor))
	if s.used != 0 || len(s.all) != 0 {
		t.Errorf("%d used by %d after a while", s.used, len(s.all))
	}
}

// Who waits for room gets it when somebody is done.
func TestLocalsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewLocals(t.TempDir(), 100)
		fill := func(*os.File) error { return nil }
		a, err := s.open(t.Context(), "a", 80, fill)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			b, err := s.open(t.Context(), "b", 80, fill)
			if err == nil {
				s.release(b, false)
			}
			done <- err
		}()
		synctest.Wait()
		s.release(a, false)
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = s.Close()
	})
}

// Readers aside hold half of the room at most and are told to come again; who
// finds no room for long comes again too.
func TestLocalsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewLocals(t.TempDir(), 100)
		fill := func(*os.File) error { return nil }
		open := func(ctx context.Context, name string, size int64, want error) *local {
			t.Helper()
			l, err := s.open(ctx, name, size, fill)
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
			return l
		}
		slow := retry.Aside(t.Context())
		a, again, b := open(slow, "a", 30, nil), open(slow, "a", 30, nil), open(slow, "b", 20, nil)
		open(slow, "c", 10, retry.ErrBusy)
		c := open(t.Context(), "c", 50, nil)
		open(slow, "c", 50, retry.ErrBusy)
		began := time.Now()
		open(t.Context(), "d", 10, retry.ErrBusy)
		if took := time.Since(began); took != roomWait {
			t.Errorf("it waited %s", took)
		}
		s.release(a, true)
		open(slow, "d", 10, retry.ErrBusy) // the other one still reads it
		s.release(again, true)
		s.release(b, true)
		c2 := open(slow, "c", 50, nil)
		s.release(c2, true)
		s.release(c, false)
		if s.aside != 0 {
			t.Errorf("%d octets are held aside at the end", s.aside)
		}
		s.release(open(slow, "larger", 80, nil), true) // one alone may be
		_ = s.Close()
	})
}

// Who waits for a copy whose first reader gives up makes it anew; any other failure
// is everybody's.
func TestLocalsFirstReaderEnds(t *testing.T) {
	broken := errors.New("damaged")
	for name, row := range map[string]struct{ first, want error }{
		"gave up": {context.Canceled, nil},
		"failed":  {broken, broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := NewLocals(t.TempDir(), 100)
				end, done := make(chan struct{}), make(chan error, 1)
				go func() {
					_, err := s.Open(t.Context(), "a", 6, func(*os.File) error { <-end; return row.first })
					done <- err
				}()
				synctest.Wait()
				got := make(chan error, 1)
				go func() {
					b, err := s.Open(t.Context(), "a", 6, func(f *os.File) error { _, err := f.WriteString("octets"); return err })
					if err == nil {
						text, _ := io.ReadAll(b)
						if string(text) != "octets" || b.Verify() != nil || b.Size() != 6 {
							t.Errorf("it reads %q", text)
						}
						_, _ = b.Close(), b.Close()
					}
					got <- err
				}()
				synctest.Wait()
				close(end)
				if err := <-done; !errors.Is(err, row.first) {
					t.Errorf("the first: %v", err)
				}
				if err := <-got; !errors.Is(err, row.want) {
					t.Errorf("the other: %v, want %v", err, row.want)
				}
				_ = s.Close()
				if s.used != 0 || len(s.all) != 0 {
					t.Errorf("%d used by %d at the end", s.used, len(s.all))
				}
			})
		})
	}
}
