package wal

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// commits is how many transactions of one row each the log of a killed database holds.
const commits = 6

// killed makes a database as a kill leaves it and returns the paths of it, its log and the
// log's index.
func killed(t testing.TB) (db, log, shm string) {
	t.Helper()
	work, dir := filepath.Join(t.TempDir(), "db"), t.TempDir()
	c, err := sql.Open("sqlite", "file:"+work)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		if _, err := c.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE mail (n INTEGER PRIMARY KEY, bytes BLOB)", PageSize))
	exec("PRAGMA wal_checkpoint(TRUNCATE)")
	for i := range commits {
		exec("INSERT INTO mail (bytes) VALUES (?)", make([]byte, 3000+i)) // two of them fill a page
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(work + end)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "db"+end), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "db"), filepath.Join(dir, "db-wal"), filepath.Join(dir, "db-shm")
}

// mails is how many rows an image has.
func mails(t *testing.T, path string) (n int) {
	t.Helper()
	c, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.QueryRow("SELECT count(*) FROM mail").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRead holds what is read of a log, sound and damaged, to what SQLite would read and to
// what is there.
func TestRead(t *testing.T) {
	at := func(frame int) int { return HeaderSize + frame*FrameSize }
	for _, c := range []struct {
		name          string
		damage        func(log []byte) []byte
		behind, holes bool
		lost          int // frames that the index names and SQLite wouldn't read; -1 none
	}{
		{"sound", func(b []byte) []byte { return b }, false, false, 0},
		{"cut in its last frame", func(b []byte) []byte { return b[:len(b)-10] }, false, false, 1},
		{"cut between frames", func(b []byte) []byte { return b[:at(2)] }, false, false, -1},
		{"a page's content, written again behind", func(b []byte) []byte { b[at(1)+frameHeader+5000] ^= 1; return b }, true, false, -1},
		{"a page's content, written once", func(b []byte) []byte { b[at(4)+frameHeader+5000] ^= 1; return b }, true, true, -1},
		{"a frame's sum alone", func(b []byte) []byte { b[at(1)+20] ^= 1; return b }, true, false, -1},
		{"a frame's salt", func(b []byte) []byte { b[at(4)+9] ^= 1; return b }, true, true, -1},
		{"the header's salt", func(b []byte) []byte { b[17] ^= 1; return b }, true, false, -1},
		{"the header's sum", func(b []byte) []byte { b[25] ^= 1; return b }, true, false, -1},
		{"another round behind", func(b []byte) []byte { b[at(5)+9] ^= 1; b[at(6)+9] ^= 1; return b[:at(7)] }, false, false, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, path, shm := killed(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := Read(path)
			if err != nil || whole.Whole() != len(b)/FrameSize || whole.Committed() != whole.Whole() || Promised(shm, path) != whole.Whole() {
				t.Fatalf("a sound log of %d frames: %+v, promised %d, %v", len(b)/FrameSize, whole, Promised(shm, path), err)
			}
			if err := os.WriteFile(path, c.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if l.Behind() != c.behind || l.Holes() != c.holes {
				t.Errorf("behind %v, holes %v; want %v and %v: %+v", l.Behind(), l.Holes(), c.behind, c.holes, l)
			}
			if lost := Promised(shm, path) - l.Whole(); c.lost >= 0 && lost != c.lost {
				t.Errorf("%d frames are missed, want %d", lost, c.lost)
			}
			imageAgrees(t, l, db, path)
		})
	}
}

// imageAgrees has SQLite read the database with its log, and an image of both.
func imageAgrees(t *testing.T, l *Log, db, log string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "image")
	if err := l.Image(to, db, log, l.Whole()); err != nil {
		t.Fatal(err)
	}
	ours := mails(t, to)
	if !l.Holes() && l.Committed() > l.Whole() {
		all := filepath.Join(t.TempDir(), "all")
		if err := l.Image(all, db, log, l.Committed()); err != nil {
			t.Fatal(err)
		}
		if n := mails(t, all); n != commits {
			t.Errorf("without a hole %d of %d mails are read", n, commits)
		}
	}
	c, err := sql.Open("sqlite", "file:"+db)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var theirs int
	if err := c.QueryRow("SELECT count(*) FROM mail").Scan(&theirs); err != nil {
		t.Fatal(err)
	}
	if ours != theirs {
		t.Errorf("SQLite reads %d mails, the image of what it would read has %d", theirs, ours)
	}
}

func TestNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	l, err := Read(path)
	if err != nil || l.Frames() != 0 || l.Committed() != 0 || l.Behind() || l.Holes() {
		t.Errorf("%+v, %v", l, err)
	}
	if n := Promised(path, path); n != 0 {
		t.Errorf("no index promises %d", n)
	}
}

func TestCheckFirstPage(t *testing.T) {
	db, log, _ := killed(t)
	if err := CheckFirstPage(db); err != nil {
		t.Error(err)
	}
	if err := CheckFirstPage(log); err == nil {
		t.Error("a log passes for a database")
	}
	if err := CheckFirstPage(db + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	b, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	b[16] = 0x10 // pages of 4096
	if err := os.WriteFile(db, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckFirstPage(db); err == nil {
		t.Error("another page size passes")
	}
}

// FuzzRead has a log of any octets: what is read is consistent, and an image of it is made
// or refused.
func FuzzRead(f *testing.F) {
	_, path, _ := killed(f)
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:HeaderSize+2*FrameSize])
	f.Add(b[:HeaderSize])
	f.Add(append(append([]byte(nil), b[:HeaderSize+10]...), b[HeaderSize+20:HeaderSize+FrameSize+20]...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if l.Whole() > l.Committed() || l.Committed() > l.Frames() || l.Frames() > len(b)/FrameSize || l.Behind() != (l.Committed() > l.Whole()) {
			t.Fatalf("%d frames would be read, %d are committed, %d are there in %d octets", l.Whole(), l.Committed(), l.Frames(), len(b))
		}
	})
}
