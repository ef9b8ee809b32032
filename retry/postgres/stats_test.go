package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/retry"
)

// TestCountedSeldom: while a count that took its time is good, it is told again, in
// maps that are the caller's own; what is stored in all is the latest.
func TestCountedSeldom(t *testing.T) {
	q := open(t, shared.Database(t), Options{})
	stats := func(due, messages int64) {
		t.Helper()
		s, err := q.Stats(t.Context())
		if err != nil || s.Endpoints["e"].Due != due || s.Messages != messages || s.OldestOf["e"].IsZero() {
			t.Fatalf("%+v, %v", s, err)
		}
		s.Endpoints["e"] = retry.Counts{Due: 99}
	}
	for i, until := range []time.Time{{}, time.Now().Add(time.Hour), {}} {
		if err := putOne(t.Context(), q, "m"+string(rune('0'+i))); err != nil {
			t.Fatal(err)
		}
		q.counted.until = until
		due := int64(i + 1)
		if !until.IsZero() {
			due = 1
		}
		stats(due, int64(i+1))
		stats(due, int64(i+1))
	}
}

// TestCountWaits: who asks while another's count hangs gives up when its own time is
// over.
func TestCountWaits(t *testing.T) {
	dsn := shared.Database(t)
	q := open(t, dsn, Options{})
	unlock := lock(t, dsn, "postern.delivery")
	first := make(chan error, 1)
	go func() { _, err := q.Stats(context.Background()); first <- err }()
	unlock(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := q.Stats(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stats = %v", err)
		}
		if len(first) > 0 {
			t.Error("it waited for the other's count")
		}
	})
	if err := <-first; err != nil {
		t.Error(err)
	}
}
