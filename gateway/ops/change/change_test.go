package change

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/retry"
	"postern/retry/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a real queue with so many deliveries that wait and dead letters, of one
// message.
func store(t *testing.T, due, dead int) *sqlite.Queue {
	t.Helper()
	q, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	body := mail.Bytes("Subject: x\r\n\r\nx\r\n")
	booked, err := q.Reserve(t.Context(), body.Size())
	if err != nil {
		t.Fatal(err)
	}
	defer booked.Release()
	m := retry.Message{ID: "m", Key: "k", Received: time.Now(), Life: time.Hour}
	if m.Body, err = q.Stage(t.Context(), booked, body); err != nil {
		t.Fatal(err)
	}
	var all []retry.NewDelivery
	for i := range due + dead {
		d := retry.NewDelivery{ID: fmt.Sprintf("d%04d", i), Endpoint: "app", Recipients: []string{"a@in.example"}, Wait: time.Hour}
		if i >= due {
			d.Dead = "rejected"
		}
		all = append(all, d)
	}
	if _, err := q.Enqueue(t.Context(), m, all); err != nil {
		t.Fatal(err)
	}
	return q
}

// told counts what the history hears, by settlement.
type told map[string]int

func (h told) tell(a history.Attempt) {
	word := string(a.Settles)
	if a.WasDead {
		word += " dead"
	}
	if a.Endpoint != "app" {
		word += " at " + a.Endpoint
	}
	if a.Message != "m" || a.By != "ann" || !a.Queued {
		word += " wrong"
	}
	h[word]++
}

func TestDo(t *testing.T) {
	for name, row := range map[string]struct {
		r        Request
		n        int
		says     string // to the history
		left     string // what waits, what is dead
		progress string
	}{
		"retry all":           {Request{Verb: Retry, Filter: retry.Filter{All: true}}, 700, "map[]", "700 600", "500 700 "},
		"retry dead letters":  {Request{Verb: Retry, Filter: retry.Filter{State: retry.Dead}}, 0, "map[]", "700 600", ""},
		"replay":              {Request{Verb: Replay, Filter: retry.Filter{Endpoint: "app"}}, 600, "map[replayed:600]", "1300 0", "500 600 "},
		"replay elsewhere":    {Request{Verb: Replay, Filter: retry.Filter{IDs: []string{"d0700", "d0001"}}, To: "b"}, 1, "map[replayed at b:1]", "701 599", "1 "},
		"delete all":          {Request{Verb: Delete, Filter: retry.Filter{All: true}}, 1300, "map[deleted:700 deleted dead:600]", "0 0", "500 1000 1300 "},
		"delete dead letters": {Request{Verb: Delete, Filter: retry.Filter{Reason: "rejected"}}, 600, "map[deleted dead:600]", "700 0", "500 600 "},
		"delete one":          {Request{Verb: Delete, Filter: retry.Filter{IDs: []string{"d0003", "nothing"}}}, 1, "map[deleted:1]", "699 600", "1 "},
	} {
		t.Run(name, func(t *testing.T) {
			q, h, progress := store(t, 700, 600), told{}, ""
			row.r.By = "ann"
			c := New(q, h.tell, time.Now)
			if n, err := c.Count(t.Context(), row.r); n != row.n || err != nil {
				t.Errorf("it is about %d, want %d: %v", n, row.n, err)
			}
			n, err := c.Do(t.Context(), row.r, func(n int) { progress += fmt.Sprint(n, " ") })
			if n != row.n || err != nil || fmt.Sprint(h) != row.says || progress != row.progress {
				t.Errorf("%d, %v, told %v, progress %q; want %+v", n, err, h, progress, row)
			}
			st, err := q.Stats(t.Context())
			var c0 retry.Counts
			for _, one := range st.Endpoints {
				c0.Due, c0.Dead = c0.Due+one.Due, c0.Dead+one.Dead
			}
			if left := fmt.Sprint(c0.Due, " ", c0.Dead); left != row.left || err != nil {
				t.Errorf("left are %s, want %s: %v", left, row.left, err)
			}
		})
	}
}

// taken is a queue of which a worker takes a delivery between two calls.
type taken struct {
	*sqlite.Queue
	id string
}

func (q taken) Delete(ctx context.Context, f retry.Filter) (int, error) {
	if _, err := q.LeaseID(ctx, q.id, time.Minute); err != nil {
		return 0, err
	}
	return q.Queue.Delete(ctx, f)
}

// What a worker took meanwhile stays, and isn't said to be gone.
func TestTakenMeanwhile(t *testing.T) {
	h := told{}
	n, err := New(taken{store(t, 3, 0), "d0001"}, h.tell, time.Now).Do(t.Context(), Request{Verb: Delete, Filter: retry.Filter{All: true}, By: "ann"}, nil)
	if n != 2 || err != nil || h["deleted"] != 2 {
		t.Errorf("%d, %v, %v", n, err, h)
	}
}

// A filter that says nothing is refused, and a change that is ended keeps what it
// did.
func TestRefusesAndEnds(t *testing.T) {
	q := store(t, 700, 0)
	c := New(q, nil, time.Now)
	for _, v := range []Verb{Retry, Replay, Delete} {
		_, counted := c.Count(t.Context(), Request{Verb: v})
		_, done := c.Do(t.Context(), Request{Verb: v}, nil)
		if !errors.Is(counted, retry.ErrNoFilter) || !errors.Is(done, retry.ErrNoFilter) {
			t.Errorf("%s of nothing: %v, %v", v, counted, done)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	n, err := c.Do(ctx, Request{Verb: Delete, Filter: retry.Filter{All: true}}, func(int) { cancel() })
	if n != 500 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	if left, err := retry.Count(t.Context(), q, retry.Filter{}, 0); left != 200 || err != nil {
		t.Errorf("%d are left, %v", left, err)
	}
}
