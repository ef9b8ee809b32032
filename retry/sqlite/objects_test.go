package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/s3/s3test"
)

type octets []byte

func (o octets) Open() (io.ReadSeekCloser, error) { return nopCloser{bytes.NewReader(o)}, nil }
func (o octets) Size() int64                      { return int64(len(o)) }

// TestObjects follows bodies in an object store to their end: one stays as long
// as its message, over a restart, and goes with it; one that no message names
// goes as an orphan.
func TestObjects(t *testing.T) {
	server := s3test.Start(t)
	bodies := server.Store(t, "mail")
	dir := t.TempDir()
	var log bytes.Buffer
	o := Options{Bodies: bodies, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	q := open(t, dir, o)
	ctx := t.Context()
	stage := func(id string) retry.BodyRef {
		t.Helper()
		ref, err := q.Stage(ctx, nil, octets(strings.Repeat("octets of "+id+"\r\n", 10_000)))
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	for i := range 3 {
		id := fmt.Sprint("m", i)
		m := retry.Message{ID: id, Received: time.Now(), Life: time.Hour, Body: stage(id)}
		if _, err := q.Enqueue(ctx, m, []retry.NewDelivery{{ID: id, Endpoint: "a"}}); err != nil {
			t.Fatal(err)
		}
	}
	stage("orphan")
	count := func(want int, when string) {
		t.Helper()
		names, err := server.Objects("mail")
		names = slices.DeleteFunc(names, func(n string) bool { return strings.Count(n, "/") < 3 }) // the folder's mark and epoch
		if err != nil || len(names) != want {
			t.Errorf("%s there are %d objects, want %d: %v", when, len(names), want, err)
		}
	}
	count(4, "after storing")
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 2, TTL: time.Minute})
	if err != nil || len(ls) != 2 {
		t.Fatal(ls, err)
	}
	if err := q.Ack(ctx, ls[0], retry.Attempt{}); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir, o)
	count(4, "after a restart")
	if strings.Contains(log.String(), "missing") {
		t.Errorf("the start takes objects for missing files:\n%s", &log)
	}
	sweeper := q.sweeper()
	for i, want := range []int{4, 4, 3, 3} {
		if _, err := sweeper.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		count(want, fmt.Sprint("after sweep ", i+1))
	}
	if names, err := (objectIndex{q}).Dropped(ctx, 10); err != nil || len(names) != 0 {
		t.Errorf("still to be deleted: %v, %v", names, err)
	}
	if n, err := sweeper.Orphans(ctx, time.Now().Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("%d orphans, %v", n, err)
	}
	count(2, "after the orphans")
	ls, err = q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil || len(ls) != 2 {
		t.Fatal(ls, err)
	}
	for _, l := range ls {
		b, err := q.Open(ctx, l.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(); err != nil {
			t.Error(err)
		}
		_ = b.Close()
	}
}

// TestObjectsOfARestore: a folder that was restored from a copy deletes no objects.
func TestObjectsOfARestore(t *testing.T) {
	bodies, dir, backup, ctx := s3test.Start(t).Store(t, "mail"), t.TempDir(), t.TempDir(), t.Context()
	sweep := func(dir string) error {
		t.Helper()
		q, err := Open(ctx, dir, Options{Bodies: bodies})
		if err != nil {
			t.Fatal(err)
		}
		s := q.sweeper()
		for range 4 {
			_, err = s.Sweep(ctx)
		}
		return errors.Join(err, q.Close())
	}
	if err := sweep(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := sweep(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := sweep(backup); err == nil || !strings.Contains(err.Error(), "set back") || bodies.Held() == nil {
		t.Errorf("after a restore: %v, held: %v", err, bodies.Held())
	}
	if err := sweep(dir); err != nil || bodies.Held() != nil {
		t.Errorf("the original: %v, held: %v", err, bodies.Held())
	}
}
