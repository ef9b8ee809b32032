package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/queuetest"
)

// allowAhead has a worker's request allow leases ahead. A notice of another replica
// ends that, so the queue had better be deaf.
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

// asleep has a replica's worker wait for a hint, and returns what it delivers.
func asleep(t *testing.T, dsn string) <-chan string {
	t.Helper()
	q := open(t, dsn, Options{})
	later := retry.NewDelivery{ID: "later", Endpoint: "e", Wait: time.Hour} // else the first mail is a hint
	if err := putOf(t.Context(), q, "later", later); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	looked := looking{q, make(chan struct{}, 100)}
	work(t, looked, got)
	for quiet := false; !quiet; {
		select {
		case <-looked.at:
		case <-time.After(pulseEvery * 3 / 2): // it looks again within a second, or has nothing to look for
			quiet = true
		}
	}
	return got
}

// looking tells when a worker looks for what is next.
type looking struct {
	*Queue
	at chan struct{}
}

func (q looking) NextDue(ctx context.Context, req retry.LeaseRequest) (time.Duration, bool, error) {
	q.at <- struct{}{}
	return q.Queue.NextDue(ctx, req)
}

// work has a worker deliver until the test ends, or end is called.
func work(t *testing.T, q retry.WorkerQueue, got chan<- string) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	d := deliver(func(l retry.Lease) {
		if l.Lapsed || l.Attempts > 0 {
			t.Errorf("%s: lapsed, or attempted before", l.ID)
		}
		got <- l.ID
	})
	go func() { ended <- retry.NewWorker(q, d, retry.WorkerConfig{}, retry.WorkerDeps{}).Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// soon is long for a notice, and short for who only polls.
const soon = 5 * time.Second

func wantDelivered(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case id := <-got:
		if id != want {
			t.Errorf("%s was delivered, want %s", id, want)
		}
	case <-time.After(soon):
		t.Errorf("%s isn't delivered", want)
	}
}

// TestAheadGivenBack: what was leased as it was stored is due again when its
// replica ends before its worker fetched it, and another's worker hears of it.
func TestAheadGivenBack(t *testing.T) {
	dsn := shared.Database(t)
	got := asleep(t, dsn)
	ending := open(t, dsn, Options{deaf: true})
	allowAhead(t, ending)
	if err := putOne(t.Context(), ending, "m"); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, ending, "m"); s != retry.Leased {
		t.Errorf("it is %s", s)
	}
	if err := ending.Close(); err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, got, "m")
}

// TestAheadWorkerEnded: mail that a replica takes after its worker ended is for
// another's.
func TestAheadWorkerEnded(t *testing.T) {
	dsn := shared.Database(t)
	other := asleep(t, dsn)
	q := open(t, dsn, Options{deaf: true})
	own := make(chan string, 10)
	end := work(t, q, own)
	if err := putOne(t.Context(), q, "before"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-own:
	case <-other: // its worker may have been first
	}
	allowAhead(t, q) // as the worker's last round did
	end()
	if err := putOne(t.Context(), q, "after"); err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, other, "after")
}

// TestAheadStored: mail that was being stored as the queue closed, or as its worker
// ended, is due.
func TestAheadStored(t *testing.T) {
	for name, end := range map[string]func(*Queue){
		"closed": func(q *Queue) { go q.Close(); <-q.run.Done() },
		"ended":  func(q *Queue) { q.StopAhead(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			dsn := shared.Database(t)
			other := asleep(t, dsn)
			q := open(t, dsn, Options{deaf: true})
			allowAhead(t, q)
			unlock := lock(t, dsn, "postern.message")
			stored := make(chan error, 1)
			go func() { stored <- putOne(context.Background(), q, "m") }()
			unlock(func() { end(q) })
			if err := <-stored; err != nil {
				t.Fatal(err)
			}
			wantDelivered(t, other, "m")
		})
	}
}

// lock has others wait for a table until unlock; that calls then once somebody waits.
func lock(t *testing.T, dsn, table string) (unlock func(then func())) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(ctx) })
	if _, err := c.Exec(ctx, "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func(then func()) {
		t.Helper()
		for waits, until := false, time.Now().Add(soon); !waits; {
			err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::text::regclass)", table).Scan(&waits)
			if err != nil || time.Now().After(until) {
				t.Fatalf("nobody waits for %s, %v", table, err)
			}
		}
		then()
		if _, err := c.Exec(ctx, "COMMIT"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAheadSlow: a lease that its worker fetches late, since it was busy or the commit
// took its time, is as good as new or leased anew: nobody had the delivery.
func TestAheadSlow(t *testing.T) {
	for _, c := range []struct {
		name           string
		commit, worker time.Duration
	}{
		{"worker", 0, fetchWithin + time.Second},
		{"commit", fetchWithin + time.Second, 0},
		{"both", fetchWithin + time.Second, fetchWithin - time.Second},
		{"very slow commit", time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock, dsn := queuetest.NewClock(), shared.Database(t)
			q := open(t, dsn, Options{Now: clock.Now, deaf: true})
			allowAhead(t, q)
			unlock := lock(t, dsn, "postern.message")
			stored := make(chan error, 1)
			go func() { stored <- putOne(context.Background(), q, "m") }()
			unlock(func() { clock.Advance(c.commit) })
			if err := <-stored; err != nil {
				t.Fatal(err)
			}
			clock.Advance(c.worker)
			ls, err := q.Lease(t.Context(), retry.LeaseRequest{Max: 10, TTL: 2 * time.Minute})
			if err != nil || len(ls) != 1 || ls[0].Lapsed {
				t.Fatalf("leased %+v, %v", ls, err)
			}
			if err := q.Ack(t.Context(), ls[0], retry.Attempt{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAheadTooLate: what a worker that hangs doesn't fetch is given back without it,
// and what comes then isn't leased for it.
func TestAheadTooLate(t *testing.T) {
	clock, dsn := queuetest.NewClock(), shared.Database(t)
	q, other := open(t, dsn, Options{Now: clock.Now, deaf: true}), open(t, dsn, Options{Now: clock.Now})
	allowAhead(t, q)
	if err := putOne(t.Context(), q, "m"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(fetchWithin + time.Second)
	if err := putOne(t.Context(), q, "later"); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, other, "later"); s != retry.Due {
		t.Errorf("the later mail is %s", s)
	}
	for until := time.Now().Add(soon); stateOf(t, other, "m") != retry.Due; {
		select {
		case <-other.Notify():
		case <-time.After(time.Until(until)):
			t.Fatal("it isn't given back")
		}
	}
	ls, err := other.Lease(t.Context(), retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil || len(ls) != 2 || ls[0].Lapsed || ls[1].Lapsed {
		t.Errorf("leased %+v, %v", ls, err)
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
