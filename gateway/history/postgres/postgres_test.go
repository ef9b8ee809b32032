package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/gateway/history"
	"postern/gateway/history/historytest"
	"postern/retry/postgres/pgtest"
)

var shared pgtest.Shared

func TestMain(m *testing.M) { shared.Main(m) }

func open(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	historytest.Run(t, func(t *testing.T) history.Store { return open(t, shared.Database(t)) })
}

func TestEarly(t *testing.T) { historytest.Early(t, open(t, shared.Database(t))) }

// Replicas that start at once on an empty database make the tables once.
func TestTwoAtOnce(t *testing.T) {
	dsn := shared.Database(t)
	errs := make(chan error)
	for n := range 4 {
		s := open(t, dsn)
		go func() {
			errs <- s.Write(t.Context(), history.Batch{Records: []history.Record{historytest.Record(n)}})
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if found, _, err := open(t, dsn).Find(t.Context(), history.Query{}); err != nil || len(found) != 4 {
		t.Errorf("%d records, %v", len(found), err)
	}
}

// A database that is away is an error within the caller's time, and comes back.
func TestAway(t *testing.T) {
	s, err := pgtest.New()
	if err == nil {
		t.Cleanup(s.Remove)
	}
	pgtest.Need(t, err)
	h := open(t, s.URL("postgres"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	b := history.Batch{Records: []history.Record{historytest.Record(1)}}
	if err := h.Write(ctx, b); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write to nowhere: %v", err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(t.Context(), b); err != nil {
		t.Errorf("after it came: %v", err)
	}
}

func TestShrinks(t *testing.T) {
	s := open(t, shared.Database(t))
	var b history.Batch
	for n := range 400 {
		b.Records = append(b.Records, historytest.Record(n))
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	s.o.MaxBytes = 1000
	if err := s.Prune(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	_, oldest := s.Get(t.Context(), historytest.Record(0).ID)
	_, newest := s.Get(t.Context(), historytest.Record(399).ID)
	if !errors.Is(oldest, history.ErrNotFound) || newest != nil {
		t.Errorf("oldest: %v, newest: %v", oldest, newest)
	}
}
