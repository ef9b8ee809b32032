package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/retry"
	"postern/webhook"
)

// pauses is a store that says what is paused.
type pauses struct {
	mu     sync.Mutex
	states []retry.EndpointState
	err    error
}

func (p *pauses) Endpoints(context.Context) ([]retry.EndpointState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states, p.err
}

func (p *pauses) say(err error, states ...retry.EndpointState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states, p.err = states, err
}

// A pause holds for endless time or until its end, reaches fresh mail within a
// second, and outlasts a store that is away.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &pauses{}
		ep, err := webhook.NewEndpoint(webhook.Config{Name: "main", URL: "http://127.0.0.1/"})
		if err != nil {
			t.Fatal(err)
		}
		x, err := New(Config{}, Deps{Router: webhook.NewRouter([]*webhook.Endpoint{ep}), Sender: &webhook.Sender{}, Breakers: retry.NewBreakers(nil, nil), Pauses: store})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); x.WatchPauses(ctx) }()
		synctest.Wait()
		paused := func(want bool, when string) {
			t.Helper()
			if x.paused("main") != want || x.paused("other") {
				t.Errorf("%s: paused %v", when, x.paused("main"))
			}
		}
		paused(false, "at first")
		store.say(nil, retry.EndpointState{Endpoint: "main", Paused: true, PausedUntil: time.Now().Add(time.Minute)}, retry.EndpointState{Endpoint: "other", PausedUntil: time.Now().Add(time.Hour)})
		paused(false, "before the store was asked again")
		time.Sleep(pauseEvery)
		synctest.Wait()
		paused(true, "for a minute")
		store.say(errors.New("away"))
		time.Sleep(30 * time.Second)
		paused(true, "while the store is away")
		time.Sleep(30 * time.Second)
		paused(false, "after the minute, the store still away")
		store.say(nil, retry.EndpointState{Endpoint: "main", Paused: true})
		time.Sleep(24 * time.Hour)
		paused(true, "until resumed")
		store.say(nil)
		time.Sleep(pauseEvery)
		synctest.Wait()
		paused(false, "resumed")
		cancel()
		<-ended
	})
}

// Fresh mail doesn't go to a paused endpoint; queued mail was leased in spite of
// it by somebody who knows.
func TestPausedDelivery(t *testing.T) {
	b := newBench(t, nil, Deps{Pauses: &pauses{states: []retry.EndpointState{{Endpoint: "main", Paused: true}}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.WatchPauses(ctx)
	d, q := b.fresh(newMail(t, 0)), b.queued(newMail(t, 0))
	b.Deliver(t.Context(), d)
	b.Deliver(t.Context(), q)
	if d.Outcome.Reason != webhook.ReasonPaused || d.Outcome.Result != webhook.Deferred || q.Outcome.Result != webhook.Delivered {
		t.Errorf("fresh %+v, queued %+v", d.Outcome, q.Outcome)
	}
	off := newBench(t, nil, Deps{})
	off.WatchPauses(t.Context()) // returns at once
}

// One line tells the end of each attempt, with the keys that mean the same
// everywhere; an observer counts it.
func TestObserve(t *testing.T) {
	var out bytes.Buffer
	watch := &watcher{}
	b := newBench(t, status(503), Deps{Logger: slog.New(slog.NewTextHandler(&out, nil)), Observer: watch})
	q := b.queued(newMail(t, 0))
	b.Deliver(t.Context(), q)
	line := out.String()
	for _, want := range []string{"level=WARN", "message=m1", "delivery=" + q.ID, "endpoint=main", "from=client.example", "rcpts=1", "result=unavailable", "status=503", "attempt=2", "err=", "took_ms="} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is missing in %s", want, line)
		}
	}
	if len(watch.seen) != 1 || watch.seen[0].Status != 503 || watch.seen[0].Endpoint != "main" || watch.ages[0] <= 0 || watch.ages[0] > time.Minute {
		t.Errorf("observed %+v %v", watch.seen, watch.ages)
	}
	out.Reset()
	ok := newBench(t, nil, Deps{Logger: slog.New(slog.NewTextHandler(&out, nil)), Observer: watch})
	ok.Deliver(t.Context(), ok.fresh(newMail(t, 0)))
	if line := out.String(); !strings.Contains(line, "level=INFO") || strings.Contains(line, "err=") {
		t.Error(line)
	}
}

func TestAddressLog(t *testing.T) {
	for setting, want := range map[AddressLog]string{LogFull: "a@b.example", LogDomain: "b.example", LogNone: "", "": "b.example"} {
		if got := setting.Show("a@b.example"); got != want {
			t.Errorf("%s: %q, want %q", setting, got, want)
		}
	}
}

// What is missing is named, and a share is never nothing.
func TestNew(t *testing.T) {
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("a dispatcher without parts")
	}
	b := newBench(t, nil, Deps{}, webhook.Config{Name: "main", Concurrency: 4})
	if b.Share("main") != 3 || b.Share("gone") != 1 {
		t.Errorf("shares %d, %d", b.Share("main"), b.Share("gone"))
	}
	if ep := b.router.Endpoints()[0]; !b.Available(ep) {
		t.Error("a closed breaker says no")
	}
}
