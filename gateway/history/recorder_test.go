package history_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway/history"
	"postern/gateway/history/historytest"
)

// flaky is a store that fails on demand and keeps count.
type flaky struct {
	*history.Ring
	broken  error
	slow    time.Duration // a Write takes so long, or until its context ends
	batches []int
	pruned  time.Time
}

func (f *flaky) Write(ctx context.Context, b history.Batch) error {
	if f.broken != nil {
		return f.broken
	}
	select {
	case <-time.After(f.slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	f.batches = append(f.batches, b.Len())
	return f.Ring.Write(ctx, b)
}

func (f *flaky) Prune(ctx context.Context, before time.Time) error {
	f.pruned = before
	return f.Ring.Prune(ctx, before)
}

// run starts a recorder within a bubble; the function ends it.
func run(cfg history.Config, s history.Store, log *strings.Builder) (*history.Recorder, func()) {
	r := history.NewRecorder(cfg, history.Deps{Store: s, Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	return r, func() { cancel(); <-ended }
}

func TestRecorderBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Ring: history.NewRing(5000, 1<<24, time.Now)}
		r, end := run(history.Config{Keep: time.Hour}, s, &strings.Builder{})
		for n := range 3 {
			r.Transaction(historytest.Record(n))
		}
		r.Attempt(history.Attempt{Message: historytest.Record(1).ID, To: []string{"x"}})
		time.Sleep(time.Second)
		synctest.Wait()
		for n := range 3500 {
			r.Transaction(historytest.Record(100 + n))
		}
		synctest.Wait() // full batches don't wait for the clock
		if n := r.Written(); n < 2004 {
			t.Errorf("a full batch waits for the clock: %d are written", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if want := time.Now().Add(-time.Hour); want.Sub(s.pruned) > time.Minute {
			t.Errorf("pruned before %v, want about %v", s.pruned, want)
		}
		r.Transaction(historytest.Record(9))
		end()
		if s.batches[0] != 4 {
			t.Errorf("batches %v", s.batches)
		}
		if r.Written() != 3505 || r.Dropped() != 0 {
			t.Errorf("the end wrote %d, dropped %d", r.Written(), r.Dropped())
		}
	})
}

// A batch that is being written when the shutdown comes is written.
func TestRecorderEndsInAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, end := run(history.Config{Keep: time.Hour}, &flaky{Ring: history.NewRing(10, 1<<20, time.Now), slow: time.Second}, &strings.Builder{})
		r.Transaction(historytest.Record(1))
		time.Sleep(time.Second)
		end()
		if r.Written() != 1 || r.Dropped() != 0 {
			t.Errorf("%d written, %d dropped", r.Written(), r.Dropped())
		}
	})
}

func TestRecorderDropsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := &flaky{Ring: history.NewRing(10, 1<<20, time.Now), broken: errors.New("no disk")}
		r, end := run(history.Config{Keep: time.Hour}, s, &log)
		defer end()
		for range 3 {
			r.Transaction(historytest.Record(1))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if r.Dropped() != 3 || strings.Count(log.String(), "no disk") != 1 {
			t.Errorf("dropped %d; said %q", r.Dropped(), log.String())
		}
		s.broken = nil
		r.Transaction(historytest.Record(2))
		time.Sleep(time.Second)
		synctest.Wait()
		if r.Written() != 1 {
			t.Errorf("written %d after the store came back", r.Written())
		}
	})
}

// What waits is bounded, and a recorder never waits for its store.
func TestRecorderIsBounded(t *testing.T) {
	r := history.NewRecorder(history.Config{}, history.Deps{}) // nobody runs it
	big := historytest.Record(1)
	big.To = make([]history.Recipient, 10_000)
	for range 100 {
		r.Transaction(big)
	}
	if d := r.Dropped(); d < 50 || d == 100 {
		t.Errorf("dropped %d of 100", d)
	}
}

func TestRecorderShowsLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := history.NewRing(10, 1<<20, time.Now)
		domain := func(a string) string { return a[strings.LastIndexByte(a, '@')+1:] }
		r, end := run(history.Config{Keep: time.Hour, Show: domain}, s, &strings.Builder{})
		rec := historytest.Record(1)
		rec.Auth, rec.Author = "device@sender.example", []string{"boss@sender.example"}
		r.Transaction(rec)
		r.Attempt(history.Attempt{Message: rec.ID, To: []string{"secret@in.example.com"}})
		end()
		got, err := s.Get(t.Context(), rec.ID)
		if err != nil || got.From != "sender.example" || got.Auth != "sender.example" || got.Author[0] != "sender.example" || got.To[0].Address != "in.example.com" ||
			got.Attempts[0].To[0] != "in.example.com" || got.Attempts[1].To[0] != "in.example.com" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestNilRecorder(t *testing.T) {
	var r *history.Recorder
	r.Transaction(history.Record{})
	r.Attempt(history.Attempt{})
}
