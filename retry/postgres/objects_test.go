package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/engine"
	"postern/retry/queuetest"
	"postern/retry/s3/s3test"
)

// folder is a store of bodies.
type folder string

func (f folder) path(name string) string { return filepath.Join(string(f), filepath.Base(name)) }

func (f folder) Put(_ context.Context, name string, b retry.Body, sum [32]byte) error {
	src, err := b.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	w, err := os.Create(f.path(name))
	if err != nil {
		return err
	}
	ref := retry.BodyRef{Size: b.Size()}
	err = errors.Join(engine.Digest(io.TeeReader(src, w), &ref), w.Close())
	if err == nil && ref.SHA256 != sum {
		err = retry.ErrCorrupt
	}
	return err
}

func (f folder) Open(_ context.Context, name string, ref retry.BodyRef) (retry.StoredBody, error) {
	r, err := os.Open(f.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", retry.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	return engine.ReaderBody(r, r, ref, ref.ID), nil
}

func (f folder) Delete(_ context.Context, names []string) error {
	for _, n := range names {
		if err := os.Remove(f.path(n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f folder) List(context.Context, string, time.Time, func([]string) error) error { return nil }

func (f folder) Mark(context.Context, string) error { return nil }

func (f folder) Epoch(context.Context, string) (string, error) {
	b, err := os.ReadFile(string(f) + ".epoch")
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return string(b), err
}

func (f folder) PutEpoch(_ context.Context, _, epoch string) error {
	return os.WriteFile(string(f)+".epoch", []byte(epoch), 0o600)
}

func (f folder) Hold(error) {}

func (f folder) count(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(string(f))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func TestSuiteWithObjects(t *testing.T) {
	dsn, bodies := shared.Database(t), s3test.Start(t).Store(t, "mail")
	queuetest.Run(t, func(t *testing.T, c *queuetest.Clock, b queuetest.Bounds) retry.Queue {
		execute(t, dsn, "DROP SCHEMA IF EXISTS postern CASCADE")
		return tidied{open(t, dsn, Options{Now: c.Now, MaxBytes: b.Bytes, MaxMessages: b.Messages, Conns: 8, Bodies: bodies})}
	})
}

// TestObjects follows a body that is an object to its end: it stays
// as long as a message names it, and a queue without its store gives the
// delivery back instead of burying it.
func TestObjects(t *testing.T) {
	dsn, ctx, there := shared.Database(t), t.Context(), folder(t.TempDir())
	q, blind := open(t, dsn, Options{Bodies: there}), open(t, dsn, Options{})
	if _, err := enqueue1(ctx, q, "m8"); err != nil {
		t.Fatal(err)
	}
	if res, err := enqueue1(ctx, q, "m8"); err != nil || res.Duplicates != 1 || there.count(t) != 1 {
		t.Fatalf("a second try: %+v, %v, and %d bodies", res, err, there.count(t))
	}
	ref, err := q.Stage(ctx, nil, body(content("n8")))
	if err := errors.Join(err, q.Discard(ctx, ref)); err != nil || there.count(t) != 1 {
		t.Fatalf("after a discard: %v, %d bodies", err, there.count(t))
	}
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 1, TTL: time.Minute})
	if err != nil || len(ls) != 1 {
		t.Fatal(ls, err)
	}
	if _, err := blind.Open(ctx, ls[0].Body); err == nil || errors.Is(err, retry.ErrCorrupt) || errors.Is(err, retry.ErrNotFound) {
		t.Errorf("without the store: %v, and the worker would bury it", err)
	}
	b, err := q.Open(ctx, ls[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != string(content("m8")) || b.Close() != nil {
		t.Errorf("read %d octets, %v", len(got), err)
	}
	s := q.sweeper()
	if _, err := s.Sweep(ctx); err != nil || there.count(t) != 1 {
		t.Errorf("a sweep while it is needed: %v, %d bodies", err, there.count(t))
	}
	if err := q.Ack(ctx, ls[0], retry.Attempt{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if there.count(t) != 0 {
		t.Errorf("%d bodies at the end", there.count(t))
	}
	if names, err := s.Index.Dropped(ctx, 10); err != nil || len(names) != 0 {
		t.Errorf("still dropped: %v, %v", names, err)
	}
}

// TestObjectOfASettledMessage: who tries again, since a commit was in doubt, what
// was stored and delivered meanwhile stores no delivery whose body is about to go.
func TestObjectOfASettledMessage(t *testing.T) {
	dsn, ctx, there := shared.Database(t), t.Context(), folder(t.TempDir())
	q := open(t, dsn, Options{Bodies: there})
	ref, err := q.Stage(ctx, nil, body(content("n8")))
	if err != nil {
		t.Fatal(err)
	}
	e := &enqueue{q: q, m: retry.Message{ID: "n8", Received: time.Now(), Life: time.Hour, Body: ref}, ds: []retry.NewDelivery{{ID: "n8", Endpoint: "e"}}}
	if err := e.alone(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := q.LeaseID(ctx, "n8", time.Minute)
	if err == nil {
		err = q.Ack(ctx, l, retry.Attempt{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := e.alone(ctx); err != nil || e.res.Stored != 1 {
		t.Errorf("the second try: %+v, %v", e.res, err)
	}
	if _, _, err := q.Get(ctx, "n8"); !errors.Is(err, retry.ErrNotFound) {
		t.Errorf("delivered twice, the second time without a body: %v", err)
	}
}

// TestObjectsOfARestore: a database that was set back deletes no objects.
func TestObjectsOfARestore(t *testing.T) {
	dsn, ctx, there := shared.Database(t), t.Context(), folder(t.TempDir())
	q := open(t, dsn, Options{Bodies: there})
	sweep := func() (err error) {
		s := q.sweeper()
		for range 4 {
			_, err = s.Sweep(ctx)
		}
		return err
	}
	if err := sweep(); err != nil {
		t.Fatal(err)
	}
	execute(t, dsn, "CREATE TABLE backup AS SELECT * FROM postern.meta")
	for range 3 {
		if err := sweep(); err != nil {
			t.Fatal(err)
		}
	}
	if err := (objectIndex{q}).PrependMeta(ctx, "short", []byte("abc"), 4); err != nil {
		t.Fatal(err)
	}
	if err := (objectIndex{q}).PrependMeta(ctx, "short", []byte("\x00\xff"), 4); err != nil {
		t.Fatal(err)
	}
	if v, err := q.Meta(ctx, "short"); err != nil || string(v) != "\x00\xffab" {
		t.Errorf("%q, %v", v, err)
	}
	execute(t, dsn, "UPDATE postern.meta m SET v = b.v FROM backup b WHERE m.k = b.k")
	if err := sweep(); err == nil || !strings.Contains(err.Error(), "set back") {
		t.Errorf("after a restore: %v", err)
	}
}
