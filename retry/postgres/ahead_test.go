package postgres

import (
	"context"
	"testing"
	"time"

	"postern/retry"
	"postern/retry/queuetest"
)

// allowAhead has a worker's request allow leases ahead.
func allowAhead(t *testing.T, q *Queue) {
	t.Helper()
	if ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 10, TTL: 2 * time.Minute, Ahead: true}); err != nil || len(ls) != 0 {
		t.Fatalf("leased %d, %v", len(ls), err)
	}
}

func stateOf(t *testing.T, q *Queue, message string) retry.State {
	t.Helper()
	list, _, err := q.List(context.Background(), retry.Filter{MessageID: message}, retry.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d deliveries, %v", len(list), err)
	}
	return list[0].State
}

// TestAheadGivenBack: what was leased as it was stored is due again when its
// replica ends before its worker fetched it.
func TestAheadGivenBack(t *testing.T) {
	dsn := shared.Database(t)
	ending, other := open(t, dsn, Options{}), open(t, dsn, Options{})
	allowAhead(t, ending)
	if err := putOne(t.Context(), ending, "m"); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, other, "m"); s != retry.Leased {
		t.Errorf("it is %s", s)
	}
	if err := ending.Close(); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, other, "m"); s != retry.Due {
		t.Errorf("given back it is %s", s)
	}
}

// TestAheadTooLate: a lease that waited too long for its worker isn't acted upon,
// and the delivery is due again when it runs out.
func TestAheadTooLate(t *testing.T) {
	clock := queuetest.NewClock()
	q := open(t, shared.Database(t), Options{Now: clock.Now})
	allowAhead(t, q)
	if err := putOne(t.Context(), q, "m"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{fetchWithin + time.Second, 0}, {2 * time.Minute, 1}} {
		clock.Advance(c.after)
		if ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 10, TTL: time.Minute}); err != nil || len(ls) != c.want {
			t.Errorf("%v later: leased %d, %v", c.after, len(ls), err)
		}
	}
}

// TestAheadInDoubt cuts the connection at a commit that leases: the mail is stored
// once, and the worker gets it once.
func TestAheadInDoubt(t *testing.T) {
	dsn := shared.Database(t)
	p := newProxy(t, dsn)
	q := open(t, p.dsn, Options{Conns: 2})
	for name, cut := range map[string]int32{"cut-answer": cutAnswer, "cut-request": cutRequest} {
		allowAhead(t, q)
		p.arm(name, cut)
		if err := putOne(t.Context(), q, name); err != nil || p.cut.Load() != cutNothing {
			t.Fatalf("Enqueue = %v, cut %v", err, p.cut.Load() == cutNothing)
		}
		ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 10, TTL: time.Minute})
		if err != nil || len(ls) != 1 || ls[0].MessageID != name {
			t.Fatalf("%s: leased %v, %v", name, ls, err)
		}
		if err := q.Ack(t.Context(), ls[0], retry.Attempt{}); err != nil {
			t.Error(err)
		}
	}
}
