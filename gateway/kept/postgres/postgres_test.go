package postgres

import (
	"bytes"
	"testing"
	"time"

	"postern/gateway/kept"
	"postern/gateway/kept/kepttest"
	"postern/retry/postgres/pgtest"
)

var shared pgtest.Shared

func TestMain(m *testing.M) { shared.Main(m) }

func TestStore(t *testing.T) {
	kepttest.Run(t, func(t *testing.T, maxBytes int64, c *kepttest.Clock) kept.Store {
		s, err := Open(t.Context(), shared.Database(t), Options{MaxBytes: maxBytes, Now: func() time.Time {
			return c.Now()
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}

// Replicas that start at once on an empty database make the tables once.
func TestTwoAtOnce(t *testing.T) {
	dsn := shared.Database(t)
	errs := make(chan error)
	for n := range 4 {
		s, err := Open(t.Context(), dsn, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		go func() {
			r, body := kepttest.Record(n, 100)
			errs <- s.Put(t.Context(), r, bytes.NewReader(body))
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
