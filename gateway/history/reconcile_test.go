package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway/history"
	"postern/gateway/history/historytest"
	"postern/retry"
)

// queued is the states of the deliveries in a queue, by message.
type queued struct {
	mu     sync.Mutex
	states map[string][]retry.State
	asked  atomic.Int32
	away   atomic.Bool
}

// List gives two a page.
func (q *queued) List(_ context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error) {
	q.asked.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	all, from := q.states[f.MessageID], 0
	if page.After != "" {
		if _, err := fmt.Sscan(page.After, &from); err != nil {
			return nil, page, err
		}
	}
	next := retry.Page{}
	if from+2 < len(all) {
		next.After = fmt.Sprint(from + 2)
	}
	var infos []retry.Info
	for _, s := range all[from:min(from+2, len(all))] {
		infos = append(infos, retry.Info{MessageID: f.MessageID, State: s})
	}
	if q.away.Load() {
		return nil, page, errors.New("no queue")
	}
	return infos, next, nil
}

// What a record says of the queue comes true, whatever word of it was lost: with
// the story's own words where it has them.
func TestReconcile(t *testing.T) {
	done := history.Attempt{Queued: true, Settles: history.SettledDone, Reason: "delivered"}
	for name, row := range map[string]struct {
		waiting, dead int // as the record began
		story         []history.Attempt
		early         bool // the story was written before the record
		queue         []retry.State
		want          history.Counts
		vanished      int
	}{
		"all is well":                     {waiting: 2, dead: 1, queue: []retry.State{retry.Due, retry.Leased, retry.Dead}, want: history.Counts{Waiting: 2, Dead: 1}},
		"a dead letter is gone":           {dead: 1, want: history.Counts{Removed: 1}, vanished: 1},
		"two are gone":                    {waiting: 2, dead: 1, queue: []retry.State{retry.Dead}, want: history.Counts{Dead: 1, Removed: 2}, vanished: 2},
		"delivered before it was written": {waiting: 1, story: []history.Attempt{done}, early: true},
		"delivered, and another is gone":  {waiting: 2, story: []history.Attempt{done}, want: history.Counts{Removed: 1}, vanished: 1},
		"replayed":                        {dead: 1, queue: []retry.State{retry.Due}, want: history.Counts{Waiting: 1}},
		"died":                            {waiting: 1, queue: []retry.State{retry.Dead}, want: history.Counts{Dead: 1}},
		"sent again":                      {waiting: 1, queue: []retry.State{retry.Due, retry.Due, retry.Due}, want: history.Counts{Waiting: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ring := history.NewRing(100, 1<<20, time.Now)
				r := historytest.Record(1)
				r.Waiting, r.Dead = row.waiting, row.dead
				for i := range row.story {
					row.story[i].Message = r.ID
				}
				b := history.Batch{Records: []history.Record{r}, Attempts: row.story}
				if row.early { // the ring would leave them out
					b.Records[0].Attempts, b.Attempts = append(b.Records[0].Attempts, row.story...), nil
				}
				if err := ring.Write(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				q := &queued{states: map[string][]retry.State{r.ID: row.queue}}
				end := reconcile(ring, q, &strings.Builder{})
				time.Sleep(time.Minute)
				end()
				got, err := ring.Get(t.Context(), r.ID)
				if err != nil || got.Counts() != row.want {
					t.Errorf("%+v, want %+v: %v", got.Counts(), row.want, err)
				}
				last := got.Attempts[len(got.Attempts)-1]
				if (last.Settles == history.Vanished) != (row.vanished > 0) || last.Parts != row.vanished {
					t.Errorf("the story ends with %+v", last)
				}
			})
		})
	}
}

// reconcile starts a reconciler within a bubble; the function ends it.
func reconcile(s history.Store, q history.Lister, log *strings.Builder) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r := history.NewReconciler(s, q, slog.New(slog.NewTextHandler(log, nil)), time.Now)
	go func() { defer close(ended); r.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// The recorder may be a moment behind the queue: that is no difference. Records are
// looked at in turns, and a queue that is away is said once.
func TestReconcilePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := history.NewRing(1000, 1<<24, time.Now)
		q := &queued{states: map[string][]retry.State{}}
		q.away.Store(true)
		var b history.Batch
		for n := range 250 {
			r := historytest.Record(n)
			r.Waiting = 1
			b.Records = append(b.Records, r)
		}
		if err := ring.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		end := reconcile(ring, q, &log)
		defer end()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "can't be compared"); n != 1 {
			t.Errorf("%d lines of %s", n, log.String())
		}
		q.away.Store(false)
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if r, _ := ring.Get(t.Context(), historytest.Record(0).ID); r.Waiting != 1 {
			t.Error("it was set right at once")
		}
		late := history.Attempt{Message: historytest.Record(0).ID, Queued: true, Settles: history.SettledDone}
		if err := ring.Write(t.Context(), history.Batch{Attempts: []history.Attempt{late}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if r, _ := ring.Get(t.Context(), historytest.Record(0).ID); r.Counts() != (history.Counts{}) || r.Became() != "delivered" {
			t.Errorf("the one whose word came late: %+v", r.Counts())
		}
		if left, _ := ring.Unsettled(t.Context(), 0, 1000); len(left) > 0 {
			t.Errorf("%d are still said to wait", len(left))
		}
	})
}

// While all is well the queue is asked ever less, a minute's wait at most; a record
// that differs is looked at as soon as at first.
func TestReconcileRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := history.NewRing(1000, 1<<24, time.Now)
		q := &queued{states: map[string][]retry.State{}}
		var b history.Batch
		for n := range 150 { // two steps a round
			r := historytest.Record(n)
			r.Waiting = 1
			q.states[r.ID] = []retry.State{retry.Due}
			b.Records = append(b.Records, r)
		}
		if err := ring.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		end := reconcile(ring, q, &strings.Builder{})
		defer end()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := q.asked.Load(); n != 150 {
			t.Errorf("the first round asked %d times", n)
		}
		time.Sleep(10 * time.Minute)
		q.asked.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := q.asked.Load(); n < 59*75 || n > 61*75 {
			t.Errorf("asked %d times in an hour", n)
		}
		gone := historytest.Record(0).ID
		q.mu.Lock()
		q.states[gone] = nil
		q.mu.Unlock()
		time.Sleep(2*time.Minute + reconcileFound)
		synctest.Wait()
		if r, _ := ring.Get(t.Context(), gone); r.Counts() != (history.Counts{Removed: 1}) {
			t.Errorf("the one that is gone: %+v", r.Counts())
		}
	})
}

// reconcileFound is until a record that was seen to differ is set right.
const reconcileFound = 14 * time.Second
