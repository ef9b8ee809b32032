package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"postern/retry"
)

// TestSettledInDoubt cuts the connection around the commit that ends a lease:
// the caller is told what became of it, and it is done once.
func TestSettledInDoubt(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	direct := open(t, dsn, Options{})
	p := newProxy(t, dsn)
	through := open(t, p.dsn, Options{Conns: 2})
	tried := retry.Attempt{At: time.Now(), Status: 503}
	for name, c := range map[string]struct {
		settle func(retry.Lease) error
		want   retry.State // "": it is gone
	}{
		"ack":     {func(l retry.Lease) error { return through.Ack(ctx, l, tried) }, ""},
		"retry":   {func(l retry.Lease) error { return through.Retry(ctx, l, time.Hour, tried) }, retry.Due},
		"dead":    {func(l retry.Lease) error { return through.Dead(ctx, l, "rejected", tried) }, retry.Dead},
		"release": {func(l retry.Lease) error { return through.Release(ctx, l, tried) }, retry.Due},
	} {
		for when, cut := range map[string]int32{"answer": cutAnswer, "request": cutRequest} {
			id := fmt.Sprint(name, "-", when, "-1")
			if _, err := enqueue1(ctx, direct, id); err != nil {
				t.Fatal(err)
			}
			l, err := direct.LeaseID(ctx, id, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			p.arm(id, cut)
			if err := c.settle(l); err != nil || p.cut.Load() != cutNothing {
				t.Errorf("%s: %v", id, err)
			}
			info, past, err := direct.Get(ctx, id)
			switch {
			case c.want == "" && !errors.Is(err, retry.ErrNotFound):
				t.Errorf("%s is still there: %v", id, err)
			case c.want != "" && (info.State != c.want || info.Attempts != 1 || len(past) != 1):
				t.Errorf("%s: %+v with %d attempts, %v", id, info, len(past), err)
			}
			if err := c.settle(l); !errors.Is(err, retry.ErrLeaseLost) {
				t.Errorf("%s once more: %v", id, err)
			}
		}
	}
}

// TestSettledOnceTheServerIsBack has the server away when a webhook has answered:
// the outcome is stored when it is back, whatever had become of the first try.
func TestSettledOnceTheServerIsBack(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	direct := open(t, dsn, Options{})
	p := newProxy(t, dsn)
	through := open(t, p.dsn, Options{Conns: 2})
	for id, cut := range map[string]int32{"away-1": cutNothing, "away-2": cutAnswer} {
		if _, err := enqueue1(ctx, direct, id); err != nil {
			t.Fatal(err)
		}
		l, err := direct.LeaseID(ctx, id, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		p.arm(id, cut)
		p.deaf.Store(true)
		if cut == cutNothing {
			p.others()
		}
		back := time.AfterFunc(2*settleAgain, func() { p.deaf.Store(false) })
		if err := through.Ack(ctx, l, retry.Attempt{}); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		back.Stop()
		p.deaf.Store(false)
		if _, _, err := direct.Get(ctx, id); !errors.Is(err, retry.ErrNotFound) {
			t.Errorf("%s would be delivered again: %v", id, err)
		}
	}
}

// TestReleaseDoesNotWait: what comes back by itself keeps no program from its end.
func TestReleaseDoesNotWait(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	p := newProxy(t, dsn)
	q := open(t, p.dsn, Options{Conns: 2})
	if err := putOne(ctx, q, "m"); err != nil {
		t.Fatal(err)
	}
	l, err := q.LeaseID(ctx, "m", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	p.deaf.Store(true)
	p.others()
	began := time.Now()
	if err := q.Release(ctx, l, retry.Attempt{}); err == nil || time.Since(began) > settlePatience/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// TestLeaseLostInCrash has a server lose a lease, as one does that crashes or
// hands over at once after it: who has it may still say that the mail was taken,
// but ends nobody else's.
func TestLeaseLostInCrash(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	q := open(t, dsn, Options{})
	lose := func(id string) retry.Lease {
		t.Helper()
		if err := putOne(ctx, q, id); err != nil {
			t.Fatal(err)
		}
		var token int64
		if err := q.pool.QueryRow(ctx, "SELECT token FROM postern.delivery WHERE id = $1", id).Scan(&token); err != nil {
			t.Fatal(err)
		}
		l, err := q.LeaseID(ctx, id, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, dsn, fmt.Sprintf("UPDATE postern.delivery SET state = 0, lease_until_ms = 0, token = %d WHERE id = '%s'", token, id))
		return l
	}
	if err := q.Ack(ctx, lose("taken"), retry.Attempt{}); err != nil {
		t.Errorf("Ack: %v", err)
	}
	lost := lose("failed")
	time.Sleep(2 * time.Millisecond) // no crash is over sooner
	next, err := q.LeaseID(ctx, "failed", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Retry(ctx, lost, time.Hour, retry.Attempt{Status: 503}); !errors.Is(err, retry.ErrLeaseLost) {
		t.Errorf("Retry of another's lease: %v", err)
	}
	if err := q.Ack(ctx, lost, retry.Attempt{}); !errors.Is(err, retry.ErrLeaseLost) {
		t.Errorf("Ack of another's lease: %v", err)
	}
	if err := q.Ack(ctx, next, retry.Attempt{}); err != nil {
		t.Errorf("Ack: %v", err)
	}
}

// TestDatabaseSetBack has a database lose an endpoint's row while we run, as one
// does that goes on from a backup: what comes then is leased all the same.
func TestDatabaseSetBack(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	q := open(t, dsn, Options{})
	look := func() {
		t.Helper()
		if _, err := q.Endpoints(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := putOne(ctx, q, "before"); err != nil {
		t.Fatal(err)
	}
	look()
	execute(t, dsn, "DELETE FROM postern.endpoint")
	look()
	if err := putOne(ctx, q, "after"); err != nil {
		t.Fatal(err)
	}
	if ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute}); err != nil || len(ls) != 2 {
		t.Errorf("leased %d, %v", len(ls), err)
	}
}

// TestEndingsTogether ends leases of all kinds in one batch; one that is lost, and
// one that comes twice, changes nothing.
func TestEndingsTogether(t *testing.T) {
	q, ctx := open(t, shared.Database(t), Options{}), t.Context()
	ids := []string{"gone", "again", "dead", "back", "lost"}
	m := retry.Message{ID: "m", Received: time.Now(), Life: time.Hour}
	var err error
	if m.Body, err = q.Stage(ctx, nil, body("m")); err != nil {
		t.Fatal(err)
	}
	var ds []retry.NewDelivery
	for _, id := range ids {
		ds = append(ds, retry.NewDelivery{ID: id, Endpoint: "e"})
	}
	if _, err := q.Enqueue(ctx, m, ds); err != nil {
		t.Fatal(err)
	}
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil || len(ls) != len(ids) {
		t.Fatal(len(ls), err)
	}
	lease := func(id string) retry.Lease {
		return ls[slices.IndexFunc(ls, func(l retry.Lease) bool { return l.ID == id })]
	}
	lost := lease("lost")
	lost.Token--
	batch := []*op[*ending]{
		{It: &ending{l: lease("gone"), state: stateGone}},
		{It: &ending{l: lease("again"), state: 0, due: 7, attempt: &retry.Attempt{Status: 503}}},
		{It: &ending{l: lease("dead"), state: 2, why: "rejected"}},
		{It: &ending{l: lease("back"), state: stateWas}},
		{It: &ending{l: lost, state: stateGone}},
		{It: &ending{l: lease("back"), state: stateGone}},
	}
	q.settleTogether(ctx, batch)
	for i, want := range []error{nil, nil, nil, nil, retry.ErrLeaseLost, errAlone} {
		if !errors.Is(batch[i].Err, want) {
			t.Errorf("%d: %v, want %v", i, batch[i].Err, want)
		}
	}
	var live, dead int
	if err := q.pool.QueryRow(ctx, "SELECT live, dead FROM postern.message").Scan(&live, &dead); err != nil || live != 3 || dead != 1 {
		t.Errorf("the message counts %d and %d, %v", live, dead, err)
	}
	s, err := q.Stats(ctx)
	if err != nil || s.Endpoints["e"] != (retry.Counts{Due: 2, Leased: 1, Dead: 1}) {
		t.Errorf("%+v, %v", s.Endpoints, err)
	}
}

func TestFill(t *testing.T) {
	for _, c := range []struct {
		want  []int
		room  int
		who   []string
		limit []int
	}{
		{nil, 5, nil, nil},
		{[]int{3, 3}, 10, []string{"a", "b"}, []int{3, 3}},
		{[]int{100, 1, 100}, 10, []string{"a", "b", "c"}, []int{5, 1, 4}},
		{[]int{2, 2, 2}, 2, []string{"a", "b"}, []int{1, 1}},
		{[]int{2}, 0, nil, nil},
	} {
		who, limit := fill([]string{"a", "b", "c"}[:len(c.want)], c.want, c.room)
		if !slices.Equal(who, c.who) || !slices.Equal(limit, c.limit) {
			t.Errorf("%v in %d: %v %v", c.want, c.room, who, limit)
		}
	}
}

// TestEndsOfOneMessageAtOnce has two replicas end the leases of the same messages'
// deliveries at once: whoever the server gives up does it again.
func TestEndsOfOneMessageAtOnce(t *testing.T) {
	dsn, ctx := shared.Database(t), t.Context()
	a, b := open(t, dsn, Options{}), open(t, dsn, Options{})
	const messages = 40
	for i := range messages {
		m := retry.Message{ID: fmt.Sprint("m", i), Received: time.Now(), Life: time.Hour}
		var err error
		if m.Body, err = a.Stage(ctx, nil, body("m")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Enqueue(ctx, m, []retry.NewDelivery{{ID: fmt.Sprint(i, "/a"), Endpoint: "a"}, {ID: fmt.Sprint(i, "/b"), Endpoint: "b"}}); err != nil {
			t.Fatal(err)
		}
	}
	ls, err := a.Lease(ctx, retry.LeaseRequest{Max: 2 * messages, TTL: time.Minute})
	if err != nil || len(ls) != 2*messages {
		t.Fatal(len(ls), err)
	}
	errs := make(chan error, len(ls))
	for _, l := range ls {
		q := map[string]*Queue{"a": a, "b": b}[l.Endpoint]
		go func() { errs <- q.Ack(context.Background(), l, retry.Attempt{}) }()
	}
	for range ls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var left int
	if err := a.pool.QueryRow(ctx, "SELECT count(*) FROM postern.message").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d messages left, %v", left, err)
	}
}
