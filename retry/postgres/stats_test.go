package postgres

import (
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
