package kept

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/mail"
	"postern/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is in memory; while it is stuck, it takes nothing.
type store struct {
	mu    sync.Mutex
	got   map[string]string
	from  map[string]Record
	err   error
	stuck chan struct{} // nil: it isn't
	prune []time.Time
}

func (s *store) Put(ctx context.Context, r Record, body io.Reader) error {
	if s.stuck != nil {
		select {
		case <-s.stuck:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.err != nil {
		return s.err
	}
	b, err := io.ReadAll(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[r.ID], s.from[r.ID] = string(b), r
	return err
}

func (s *store) OpenMessage(context.Context, string) (retry.Message, retry.StoredBody, error) {
	return retry.Message{}, nil, ErrNotFound
}
func (s *store) Names(context.Context, string) (int, error) { return 0, nil }

func (s *store) Forget(context.Context, string) (int, error) { return 0, nil }
func (s *store) Close() error                                { return nil }
func (s *store) Prune(_ context.Context, before time.Time) error {
	s.prune = append(s.prune, before)
	return nil
}

func keeper(s *store, log io.Writer) *Keeper {
	s.got, s.from = map[string]string{}, map[string]Record{}
	return NewKeeper(time.Hour, Deps{Store: s, Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now})
}

func envelope(id string) *mail.Envelope {
	return &mail.Envelope{ID: id, Key: "k", From: "Ann@sender.example", Auth: "bob", To: []mail.Recipient{{Address: "a@in.example"}}}
}

// run has the keeper run until the test says so.
func run(k *Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); k.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// What is taken is written, also what came last; the octets may change at once.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		k := keeper(s, io.Discard)
		stop := run(k)
		data := mail.Bytes("small")
		k.Keep(envelope("m1"), &mail.Message{Subject: "Hi", From: []mail.Address{{Address: "Ann@author.example"}}}, data)
		copy(data, "xxxxx")
		synctest.Wait()
		time.Sleep(5 * time.Second)
		large := filepath.Join(t.TempDir(), "spool")
		if err := os.WriteFile(large, bytes.Repeat([]byte("l"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		k.Keep(envelope("m2"), nil, file(large))
		if err := os.Remove(large); err != nil { // the spool goes once the client is answered
			t.Fatal(err)
		}
		stop()
		if s.got["m1"] != "small" || len(s.got["m2"]) != 1<<20 || k.Kept() != 2 || k.Dropped() != 0 {
			t.Errorf("%q, %d octets, %d kept, %d dropped", s.got["m1"], len(s.got["m2"]), k.Kept(), k.Dropped())
		}
		r := s.from["m1"]
		if r.Subject != "Hi" || strings.Join(r.Names, " ") != "ann@sender.example bob a@in.example ann@author.example" || !strings.Contains(string(r.Envelope), `"Ann@sender.example"`) {
			t.Errorf("%+v", r)
		}
		if len(s.prune) != 2 || time.Since(s.prune[1]) < time.Hour {
			t.Errorf("pruned %v", s.prune)
		}
		if k.octets != 0 || k.files != 0 {
			t.Errorf("%d octets and %d files are still booked", k.octets, k.files)
		}
	})
}

// hung is a store whose disk hangs: it heeds no context, until it is let go.
type hung struct {
	*store
	letGo chan struct{}
	calls int
}

func (s *hung) Put(ctx context.Context, r Record, body io.Reader) error {
	s.calls++
	<-s.letGo
	return s.store.Put(ctx, r, body)
}

func (s *hung) Prune(context.Context, time.Time) error {
	s.calls++
	<-s.letGo
	return nil
}

// A disk that hangs holds one call and no more memory than is allowed; it is said
// once, counted, and what waited is kept once it goes on. The end doesn't wait for it.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := &hung{store: &store{got: map[string]string{}, from: map[string]Record{}}, letGo: make(chan struct{})}
		k := NewKeeper(time.Hour, Deps{Store: s, Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now})
		stop := run(k)
		for n := range 8 {
			k.Keep(envelope(fmt.Sprint("m", n)), nil, mail.Bytes(bytes.Repeat([]byte("x"), 1<<20)))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if k.octets > pendingOctets || k.Dropped() != 6 || k.Kept() != 0 || s.calls != 1 || strings.Count(log.String(), "hangs") != 1 {
			t.Errorf("%d octets, %d dropped, %d kept, %d calls: %s", k.octets, k.Dropped(), k.Kept(), s.calls, log.String())
		}
		close(s.letGo)
		synctest.Wait()
		if k.Kept() != 2 || len(s.got) != 3 {
			t.Errorf("%d kept, %d stored", k.Kept(), len(s.got))
		}
		s.letGo = make(chan struct{})
		k.Keep(envelope("last"), nil, mail.Bytes("x"))
		k.Keep(envelope("very last"), nil, mail.Bytes("x"))
		began := time.Now()
		stop()
		if took := time.Since(began); took > 2*putTimeout {
			t.Errorf("the end took %v", took)
		}
		close(s.letGo)
		synctest.Wait()
		if k.octets != 0 || k.files != 0 || k.Dropped() != 8 {
			t.Errorf("%d octets are still booked, %d dropped", k.octets, k.Dropped())
		}
	})
}

// file is a spool's.
type file string

func (f file) Open() (io.ReadSeekCloser, error) { return os.Open(string(f)) }
func (f file) Size() int64                      { return 1 << 20 }

// sized says another size.
type sized struct {
	file
	size int64
}

func (s sized) Size() int64 { return s.size }

// A store that hangs delays nobody, and what waits for it is bounded.
func TestStuckStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{stuck: make(chan struct{})}
		var log bytes.Buffer
		k := keeper(s, &log)
		stop := run(k)
		began := time.Now()
		for range 100 {
			k.Keep(envelope("m"), nil, mail.Bytes(make([]byte, 100<<10)))
		}
		if time.Since(began) != 0 {
			t.Errorf("taking them took %s", time.Since(began))
		}
		k.mu.Lock()
		octets := k.octets
		k.mu.Unlock()
		if octets > pendingOctets || k.Dropped() < 50 {
			t.Errorf("%d octets wait, %d were dropped", octets, k.Dropped())
		}
		stop()
		if end := time.Since(began); end > 2*putTimeout {
			t.Errorf("it ended after %s", end)
		}
		if k.Kept() != 0 || k.Dropped() != 100 || strings.Count(log.String(), "can't be kept") > 2 {
			t.Errorf("%d kept, %d dropped:\n%s", k.Kept(), k.Dropped(), log.String())
		}
	})
}

// A message that is being written when the shutdown comes is kept.
func TestShutdownInAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{stuck: make(chan struct{})}
		k := keeper(s, io.Discard)
		stop := run(k)
		k.Keep(envelope("m1"), nil, mail.Bytes("x"))
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(s.stuck) })
		stop()
		if k.Kept() != 1 || k.Dropped() != 0 {
			t.Errorf("%d kept, %d dropped", k.Kept(), k.Dropped())
		}
	})
}

// A store that fails is told of once, until it works again.
func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{err: errors.New("no space left on device")}
		var log bytes.Buffer
		k := keeper(s, &log)
		stop := run(k)
		for range 3 {
			k.Keep(envelope("m"), nil, mail.Bytes("x"))
			synctest.Wait()
		}
		s.err = nil
		k.Keep(envelope("m"), nil, mail.Bytes("x"))
		synctest.Wait()
		s.err = errors.New("no space left on device")
		k.Keep(envelope("m"), nil, mail.Bytes("x"))
		synctest.Wait()
		stop()
		if k.Kept() != 1 || k.Dropped() != 4 || strings.Count(log.String(), "no space left") != 2 {
			t.Errorf("%d kept, %d dropped:\n%s", k.Kept(), k.Dropped(), log.String())
		}
	})
}

// Large messages wait in few files; a nil keeper does nothing.
func TestKeepLarge(t *testing.T) {
	s := &store{}
	k := keeper(s, io.Discard)
	large := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(large, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Keep(envelope("m"), nil, file(large+".gone"))
	if k.Dropped() != 1 || k.files != 0 {
		t.Errorf("%d dropped, %d files", k.Dropped(), k.files)
	}
	for range 5 {
		k.Keep(envelope("m"), nil, sized{file(large), 50 << 20})
	}
	if k.inFiles > fileOctets || k.files != 2 {
		t.Errorf("%d octets wait in %d files", k.inFiles, k.files)
	}
	run(k)()
	k.Keep(envelope("m"), nil, sized{file(large), 2 * fileOctets})
	if k.files != 1 || k.inFiles != 2*fileOctets {
		t.Errorf("a very large one waits alone: %d octets in %d files", k.inFiles, k.files)
	}
	run(k)()
	if k.octets != 0 || k.files != 0 || k.inFiles != 0 {
		t.Errorf("%d octets and %d in %d files are still booked", k.octets, k.inFiles, k.files)
	}
	var off *Keeper
	off.Keep(envelope("m"), nil, mail.Bytes("x"))
}

var _ Store = (*store)(nil)
