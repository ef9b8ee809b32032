package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"
)

// base is a database on a store of bodies that others may use as well.
type base struct {
	*shelf
	Sweeper
	meta map[string][]byte
	log  *bytes.Buffer
}

// newBase starts a program on a copy of what a database noted.
func newBase(store *shelf, meta map[string][]byte) *base {
	own := newShelf()
	maps.Copy(own.meta, meta)
	b := &base{shelf: own, meta: own.meta, log: &bytes.Buffer{}}
	b.Sweeper = Sweeper{Objects: &Objects{Bodies: store, Meta: own}, Index: own, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	return b
}

// sweep sweeps so often, with all that it could delete, and returns the last error.
func (b *base) sweep(t *testing.T, times int) (err error) {
	t.Helper()
	for range times {
		_, err = b.Sweep(t.Context())
		if _, oerr := b.Orphans(t.Context(), time.Now().Add(time.Hour)); oerr != nil && !errors.Is(oerr, errForeign) {
			t.Fatal(oerr)
		}
	}
	return err
}

const longSweeps = 4 * epochEvery

// started is a database that has been in use for a while.
func started(t *testing.T) (*shelf, *base) {
	t.Helper()
	store := newShelf()
	b := newBase(store, nil)
	if err := b.sweep(t, longSweeps); err != nil {
		t.Fatal(err)
	}
	return store, b
}

func (b *base) body(n string) string { return string(b.meta[folderKey]) + "/aa/" + n }

// TestRestored: a database that was set back deletes no body until somebody has
// looked, neither those that came later nor what it takes for dropped.
func TestRestored(t *testing.T) {
	for _, running := range []bool{false, true} {
		store, b := started(t)
		backup := maps.Clone(b.meta)
		store.bodies[b.body("later")], store.bodies[b.body("old")] = time.Now(), time.Now()
		b.known[b.body("later")], b.known[b.body("old")] = true, true
		if err := b.sweep(t, longSweeps); err != nil || len(store.bodies) != 2 {
			t.Fatal(err, store.bodies)
		}
		back := newBase(store, backup)
		if running { // the program goes on over the restore
			back = b
			clear(b.meta)
			maps.Copy(b.meta, backup)
			clear(b.known)
		}
		back.dropped = []string{b.body("old")}
		if err := back.sweep(t, longSweeps); !errors.Is(err, errForeign) || len(store.bodies) != 2 {
			t.Errorf("running %t: %v, and %v is left", running, err, store.bodies)
		}
		if !errors.Is(store.held, errForeign) || strings.Count(back.log.String(), "level=ERROR") != 1 || !strings.Contains(back.log.String(), "/epoch") {
			t.Errorf("held: %v, and the log says:\n%s", store.held, back.log)
		}
		store.epoch = "" // deleted by who has looked
		if err := back.sweep(t, longSweeps); err != nil || store.held != nil || len(store.bodies) != 0 {
			t.Errorf("running %t, accepted: %v, held %v, and %v is left", running, err, store.held, store.bodies)
		}
	}
}

// TestCloned: a copy of a database deletes nothing of the original's, and the
// original goes on; a copy made a moment ago, which can't know, is stopped by it.
func TestCloned(t *testing.T) {
	store, b := started(t)
	old := maps.Clone(b.meta)
	if err := b.sweep(t, epochEvery); err != nil {
		t.Fatal(err)
	}
	store.bodies[b.body("needed")] = time.Now()
	b.known[b.body("needed")] = true
	clone := newBase(store, old)
	clone.dropped = []string{b.body("needed")}
	for range longSweeps {
		if err := b.sweep(t, 1); err != nil {
			t.Errorf("the original: %v", err)
		}
		if err := clone.sweep(t, 1); !errors.Is(err, errForeign) {
			t.Errorf("the copy: %v", err)
		}
	}
	fresh := newBase(store, b.meta)
	fresh.dropped = []string{b.body("needed")}
	for range longSweeps {
		_, _ = fresh.sweep(t, 1), b.sweep(t, 1)
	}
	if err := errors.Join(fresh.sweep(t, 1), b.sweep(t, 1)); !errors.Is(err, errForeign) || len(store.bodies) != 1 {
		t.Errorf("a fresh copy: %v, and %v is left", err, store.bodies)
	}
}

// TestReplicas: those that share a database never take each other for another's,
// and what it notes stays small.
func TestReplicas(t *testing.T) {
	store, first := started(t)
	all := []*base{first}
	for range 4 {
		r := newBase(store, nil)
		r.shelf.meta, r.meta, r.Objects.Meta, r.Index = first.meta, first.meta, first.shelf, first.shelf
		all = append(all, r)
	}
	for i := range 1000 {
		r := all[i*7%len(all)]
		if err := r.sweep(t, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(first.meta[epochsKey]); n > epochsKept*(epochLength+1) {
		t.Errorf("%d octets of epochs are noted", n)
	}
}
