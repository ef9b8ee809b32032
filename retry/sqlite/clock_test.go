package sqlite

import (
	"testing"
	"time"

	"postern/retry"
	"postern/retry/queuetest"
)

// TestClockSetBackWhileDown: mail whose times lie ahead of a clock that was set
// back while nobody ran is due at once, and ends when it would have.
func TestClockSetBackWhileDown(t *testing.T) {
	for _, c := range []struct {
		name string
		step time.Duration
		due  bool
	}{{"two hours back", -2 * time.Hour, true}, {"a day back", -24 * time.Hour, true}, {"a moment back", -30 * time.Second, false}, {"on", time.Minute, false}} {
		for _, clean := range []bool{true, false} {
			dir, clock := t.TempDir(), queuetest.NewClock()
			q := open(t, dir, Options{Now: clock.Now})
			if err := enqueueOne(q, "m", crashBody{data: crashContent("m", 100)}); err != nil {
				t.Fatal(err)
			}
			ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 1, TTL: time.Minute})
			if err != nil || len(ls) != 1 {
				t.Fatal(ls, err)
			}
			if err := q.Retry(t.Context(), ls[0], time.Hour, retry.Attempt{Status: 503}); err != nil {
				t.Fatal(err)
			}
			if !clean { // the time is noted now and then
				q.tidy(t.Context())
				q.fatal.set(retry.ErrUnhealthy)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			clock.Advance(c.step)
			q = open(t, dir, Options{Now: clock.Now})
			ls, err = q.Lease(t.Context(), retry.LeaseRequest{Max: 1, TTL: time.Minute})
			if err != nil || (len(ls) == 1) != c.due {
				t.Errorf("%s, clean %v: leased %v, %v", c.name, clean, ls, err)
			}
			if len(ls) == 1 && ls[0].Left != time.Hour {
				t.Errorf("%s, clean %v: %v of its life are left", c.name, clean, ls[0].Left)
			}
		}
	}
}
