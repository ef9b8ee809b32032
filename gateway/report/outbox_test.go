package report

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestFailureWebhookIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		bad   int // answers before a good one
		tries int
		end   string
	}{{0, 1, "webhook sent"}, {2, 3, "webhook sent"}, {99, len(pauses) + 1, "webhook failed"}} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			seen := &results{}
			l := newOutbox(KindWebhook, seen.observe)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); l.run(ctx) }()
			l.add(slog.New(slog.DiscardHandler), func(context.Context) error {
				if tries++; tries <= c.bad {
					return errors.New("503")
				}
				return nil
			})
			time.Sleep(time.Hour)
			cancel()
			<-done
			if tries != c.tries || seen.of(c.end) != 1 {
				t.Errorf("%d tries, %v", tries, seen.seen)
			}
		})
	}
}

func TestOutboxIsBoundedAndNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &results{}
		l := newOutbox(KindDSN, seen.observe)
		began := time.Now()
		for range outboxSize + 5 {
			l.add(slog.New(slog.DiscardHandler), func(context.Context) error { return nil })
		}
		if time.Since(began) != 0 || seen.of("dsn overflow") != 5 {
			t.Errorf("took %s, %v", time.Since(began), seen.seen)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l.run(ctx)
		if seen.of("dsn sent") != outboxSize {
			t.Errorf("at the end: %v", seen.seen)
		}
		l.add(slog.New(slog.DiscardHandler), func(context.Context) error { return nil })
		if seen.of("dsn failed") != 1 {
			t.Errorf("after the end: %v", seen.seen)
		}
	})
}

// What is under way when the process ends may finish; what waits for its next
// try gets one more.
func TestOutboxAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &results{}
		l := newOutbox(KindDSN, seen.observe)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		tries := 0
		l.add(slog.New(slog.DiscardHandler), func(context.Context) error {
			if tries++; tries == 1 {
				return errors.New("busy")
			}
			return nil
		})
		time.Sleep(time.Second)
		cancel()
		<-done
		if tries != 2 || seen.of("dsn sent") != 1 {
			t.Errorf("%d tries, %v", tries, seen.seen)
		}
		ctx, cancel = context.WithCancel(t.Context())
		done = make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		l.add(slog.New(slog.DiscardHandler), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		time.Sleep(time.Second)
		cancel()
		began := time.Now()
		<-done
		if d := time.Since(began); d > 2*drainTimeout {
			t.Errorf("ended after %s", d)
		}
	})
}
