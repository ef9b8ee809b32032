package webhook

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatch(t *testing.T) {
	const timeout = 3 * time.Second
	for name, c := range map[string]struct {
		run   func(w *watch)
		after time.Duration
		cause error
	}{
		"never connected": {func(*watch) {}, connectTimeout, ErrTimeout},
		"nothing taken":   {func(w *watch) { w.progress() }, stallTimeout, ErrStalled},
		"slow, then stalled": {func(w *watch) {
			for range 100 {
				w.progress()
				time.Sleep(stallTimeout - time.Second)
			}
		}, 100*(stallTimeout-time.Second) + time.Second, ErrStalled},
		"our own wait doesn't count": {func(w *watch) {
			w.progress()
			w.hold()
			time.Sleep(5 * time.Minute)
			w.progress()
			time.Sleep(5 * time.Minute)
			w.resume()
		}, 10*time.Minute + stallTimeout, ErrStalled},
		"connected while we wait": {func(w *watch) {
			w.hold()
			w.progress()
			time.Sleep(5 * time.Minute)
			w.resume()
		}, 5*time.Minute + stallTimeout, ErrStalled},
		"never connected while we wait": {func(w *watch) { w.hold(); w.resume(); w.hold() }, connectTimeout, ErrTimeout},
		"our own wait after an answer": {func(w *watch) {
			w.progress()
			w.sent()
			w.hold()
			w.resume()
		}, timeout, ErrTimeout},
		"no answer": {func(w *watch) {
			w.progress()
			time.Sleep(time.Second)
			w.sent()
		}, time.Second + timeout, ErrTimeout},
		"progress after the end doesn't count": {func(w *watch) {
			w.sent()
			time.Sleep(time.Second)
			w.progress()
			w.sent()
		}, timeout, ErrTimeout},
		"an answer before the end": {func(w *watch) {
			w.progress()
			w.after(time.Minute)
			w.sent()
			w.progress()
		}, time.Minute, ErrTimeout},
		"stopped": {func(w *watch) {
			w.sent()
			w.stop()
			w.progress()
		}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				start := time.Now()
				c.run(newWatch(cancel, timeout))
				select {
				case <-ctx.Done():
				case <-time.After(time.Hour):
				}
				if c.cause == nil {
					if ctx.Err() != nil {
						t.Errorf("cancelled: %v", context.Cause(ctx))
					}
					return
				}
				if took := time.Since(start); !errors.Is(context.Cause(ctx), c.cause) || took != c.after {
					t.Errorf("%v after %s, want %v after %s", context.Cause(ctx), took, c.cause, c.after)
				}
			})
		})
	}
}
