package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/retry"
)

// shelf is a store of bodies in memory that can be away, and the index of a
// database beside it.
type shelf struct {
	bodies  map[string]time.Time
	meta    map[string][]byte
	dropped []string
	known   map[string]bool
	epoch   string
	held    error
	away    bool // the store
	lost    bool // the database
}

var errLost = errors.New("the database is away")

func newShelf() *shelf {
	return &shelf{bodies: map[string]time.Time{}, meta: map[string][]byte{}, known: map[string]bool{}}
}

func (s *shelf) fail() error {
	if s.away {
		return ErrBodiesAway
	}
	return nil
}

func (s *shelf) Put(_ context.Context, name string, _ retry.Body, _ [32]byte) error {
	if err := s.fail(); err != nil {
		return err
	}
	s.bodies[name] = time.Now()
	return nil
}

func (s *shelf) Open(context.Context, string, retry.BodyRef) (retry.StoredBody, error) {
	return nil, s.fail()
}

func (s *shelf) Delete(_ context.Context, names []string) error {
	if err := s.fail(); err != nil {
		return err
	}
	for _, n := range names {
		delete(s.bodies, n)
	}
	return nil
}

func (s *shelf) List(_ context.Context, folder string, before time.Time, found func([]string) error) error {
	var names []string
	for n, at := range s.bodies {
		if strings.HasPrefix(n, folder+"/") && at.Before(before) {
			names = append(names, n)
		}
	}
	return errors.Join(s.fail(), found(names))
}

func (s *shelf) Mark(context.Context, string) error { return s.fail() }

func (s *shelf) Epoch(context.Context, string) (string, error) { return s.epoch, s.fail() }

func (s *shelf) PutEpoch(_ context.Context, _, epoch string) error {
	if err := s.fail(); err != nil {
		return err
	}
	s.epoch = epoch
	return nil
}

func (s *shelf) Hold(err error) { s.held = err }

func (s *shelf) PrependMeta(_ context.Context, key string, v []byte, keep int) error {
	v = append(slices.Clone(v), s.meta[key]...)
	s.meta[key] = v[:min(len(v), keep)]
	return nil
}

func (s *shelf) Meta(_ context.Context, key string) ([]byte, error) {
	if s.lost {
		return nil, errLost
	}
	return s.meta[key], nil
}

func (s *shelf) PutMeta(_ context.Context, key string, v []byte) ([]byte, error) {
	if s.meta[key] == nil {
		s.meta[key] = v
	}
	return s.meta[key], nil
}

func (s *shelf) Dropped(context.Context, int) ([]string, error) {
	if s.lost {
		return nil, errLost
	}
	return slices.Clone(s.dropped), nil
}

func (s *shelf) Forget(_ context.Context, names []string) error {
	s.dropped = slices.DeleteFunc(s.dropped, func(n string) bool { return slices.Contains(names, n) })
	return nil
}

func (s *shelf) Known(context.Context, []string) (map[string]bool, error) {
	if s.lost {
		return nil, errLost
	}
	return s.known, nil
}

type octets []byte

func (o octets) Open() (io.ReadSeekCloser, error) { return readCloser{bytes.NewReader(o)}, nil }
func (o octets) Size() int64                      { return int64(len(o)) }

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func TestObjectsStage(t *testing.T) {
	s := newShelf()
	o := &Objects{Bodies: s, Meta: s}
	if o.Takes(InlineMax) || !o.Takes(InlineMax+1) || (&Objects{}).Takes(1<<20) {
		t.Error("only what doesn't go into the database goes to a store of bodies")
	}
	s.away = true
	if _, err := o.Stage(t.Context(), octets("mail")); !errors.Is(err, ErrBodiesAway) {
		t.Errorf("with the store away: %v", err)
	}
	if s.meta[folderKey] != nil {
		t.Error("a folder is known that nobody marked")
	}
	s.away = false
	names := map[string]bool{}
	for range 3 {
		ref, err := o.Stage(t.Context(), octets("mail"))
		if err != nil {
			t.Fatal(err)
		}
		name, ok := ObjectName(ref.ID)
		if !ok || !strings.HasPrefix(name, string(s.meta[folderKey])+"/") || ref.Size != 4 || ref.SHA256 == [32]byte{} || ref.Inline != nil {
			t.Errorf("staged as %+v", ref)
		}
		names[name] = true
	}
	if len(names) != 3 {
		t.Errorf("equal bodies share a name: %v", names)
	}
	if _, err := (&Objects{}).Open(t.Context(), "x", retry.BodyRef{}); !errors.Is(err, ErrBodiesAway) || errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("without a store of bodies: %v", err)
	}
}

// What a message dropped goes a sweep after it was first seen; nothing goes that
// the database couldn't be asked about.
func TestSweeper(t *testing.T) {
	s := newShelf()
	o := &Objects{Bodies: s, Meta: s}
	sw := &Sweeper{Objects: o, Index: s, Log: slog.New(slog.DiscardHandler)}
	folder, err := o.Folder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := func(n string) string { return folder + "/aa/" + n }
	long := time.Now().Add(-48 * time.Hour)
	for _, n := range []string{"waits", "dropped", "orphan", "fresh"} {
		s.bodies[name(n)] = long
	}
	s.bodies[name("fresh")] = time.Now()
	s.bodies["another/aa/orphan"] = long
	s.known[name("waits")], s.known[name("dropped")] = true, true
	s.dropped = []string{name("dropped")}

	expect := func(what string, n int, err, want error, left ...string) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if len(s.bodies) != len(left) {
			t.Errorf("%s: %d deleted, %v is left", what, n, s.bodies)
		}
		for _, l := range left {
			if _, ok := s.bodies[l]; !ok {
				t.Errorf("%s: %s is gone", what, l)
			}
		}
	}
	all := []string{name("waits"), name("dropped"), name("orphan"), name("fresh"), "another/aa/orphan"}
	n, err := sw.Sweep(t.Context())
	expect("the first sweep", n, err, nil, all...)
	s.away = true
	n, err = sw.Sweep(t.Context())
	expect("the store away", n, err, ErrBodiesAway, all...)
	s.away, s.lost = false, true
	n, err = sw.Sweep(t.Context())
	expect("the database away", n, err, errLost, all...)
	before := time.Now().Add(-24 * time.Hour)
	sw.good = epochEvery
	n, err = sw.Orphans(t.Context(), before)
	sw.good = 0
	expect("orphans, the database away", n, err, errLost, all...)
	s.lost = false
	for range epochEvery - 1 {
		n, err = sw.Sweep(t.Context())
		expect("before the folder is surely ours", n, err, nil, all...)
		n, err = sw.Orphans(t.Context(), before)
		expect("orphans before that", n, err, nil, all...)
	}
	n, err = sw.Sweep(t.Context())
	expect("the next sweep", n, err, nil, name("waits"), name("orphan"), name("fresh"), "another/aa/orphan")
	if len(s.dropped) != 0 {
		t.Errorf("%v is still to be deleted", s.dropped)
	}
	sw.Whole = func() bool { return false }
	n, err = sw.Orphans(t.Context(), before)
	expect("a damaged database", n, err, nil, name("waits"), name("orphan"), name("fresh"), "another/aa/orphan")
	sw.Whole = nil
	n, err = sw.Orphans(t.Context(), before)
	expect("orphans", n, err, nil, name("waits"), name("fresh"), "another/aa/orphan")
}
