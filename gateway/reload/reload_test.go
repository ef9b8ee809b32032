package reload

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// word opens a file whose value is its text; "broken" can't be used.
func word(t *testing.T, log *slog.Logger, path string) (*File[string], error) {
	t.Helper()
	return Open(Deps{Logger: log}, func() (string, error) {
		b, err := Bytes(path, 100)
		if string(b) == "broken" {
			err = errors.New("it is broken")
		}
		return string(b), err
	}, path)
}

func write(t *testing.T, path, text string, changed time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
}

func TestLastGoodValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "word")
		old := time.Now().Add(-time.Hour)
		write(t, path, "one", old)
		var log bytes.Buffer
		f, err := word(t, slog.New(slog.NewTextHandler(&log, nil)), path)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct {
			do    func()
			want  string
			lines int // of the log, in all
		}{
			{func() {}, "one", 0},
			{func() { write(t, path, "two", old.Add(time.Minute)) }, "two", 0},
			{func() { write(t, path, "broken", old.Add(2*time.Minute)) }, "two", 1},
			{func() {}, "two", 1}, // said once
			{func() { os.Remove(path) }, "two", 2},
			{func() { write(t, path, "", old) }, "two", 3},
			{func() { write(t, path, "three", old) }, "three", 4},
			{func() { write(t, path, strings.Repeat("x", 101), old) }, "three", 5},
			{func() { write(t, path, "three", old.Add(time.Minute)) }, "three", 6},
		} {
			step.do()
			before := f.Get()
			time.Sleep(Every)
			if got := f.Get(); got != step.want {
				t.Errorf("step %d: %q, then after a second %q, want %q", i, before, got, step.want)
			}
			if n := strings.Count(log.String(), "\n"); n != step.lines {
				t.Errorf("step %d: %d lines in the log, want %d:\n%s", i, n, step.lines, &log)
			}
		}
	})
}

// A file that changes twice within the file system's clock is read until it
// has been quiet for a moment.
func TestChangedTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "word")
		now := time.Now()
		write(t, path, "one", now)
		f, err := word(t, nil, path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "two", now)
		time.Sleep(Every)
		if got := f.Get(); got != "two" {
			t.Errorf("%q, want what was written in the same moment", got)
		}
	})
}

// Kubernetes exchanges the folder behind a link; the file's path stays.
func TestExchangedLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, old := t.TempDir(), time.Now().Add(-time.Hour)
		for _, v := range []string{"one", "two"} {
			if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, v, "word"), v, old)
		}
		link := func(to string) {
			next := filepath.Join(dir, "next")
			if err := errors.Join(os.Symlink(to, next), os.Rename(next, filepath.Join(dir, "data"))); err != nil {
				t.Fatal(err)
			}
		}
		link("one")
		f, err := word(t, nil, filepath.Join(dir, "data", "word"))
		if err != nil || f.Get() != "one" {
			t.Fatalf("%q, %v", f.Get(), err)
		}
		link("two")
		time.Sleep(Every)
		if got := f.Get(); got != "two" {
			t.Errorf("after the exchange %q", got)
		}
	})
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	write(t, empty, "", time.Now())
	for path, want := range map[string]error{filepath.Join(dir, "none"): os.ErrNotExist, dir: ErrNotAFile, "/dev/zero": ErrNotAFile, empty: ErrNotAFile} {
		if _, err := word(t, nil, path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

// While one caller reads, the others take the value that holds.
func TestGetWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "slow")
		write(t, path, "x", time.Now().Add(-time.Hour))
		reads := 0
		f, err := Open(Deps{}, func() (int, error) {
			if reads++; reads > 1 {
				time.Sleep(time.Hour)
			}
			return reads, nil
		}, path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, "xx", time.Now().Add(-time.Hour))
		time.Sleep(Every)
		go f.Get()
		synctest.Wait()
		if began := time.Now(); f.Get() != 1 || time.Since(began) != 0 {
			t.Errorf("%d after %s", f.Get(), time.Since(began))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := f.Get(); got != 2 {
			t.Errorf("%d, want what was read meanwhile", got)
		}
	})
}
