package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"postern/cmd/internal/config"
	"postern/retry"
)

// sickQueue is a store whose health is told by the test.
type sickQueue struct {
	retry.Queue
	health error
}

func (q *sickQueue) Health(context.Context) error { return q.health }

// The store decides on readiness only where no mail is taken without it.
func TestReady(t *testing.T) {
	full := errors.New("the disk is full")
	for _, c := range []struct {
		accept          string
		queue           bool
		health          error
		draining        bool
		ready, degraded bool
	}{
		{"webhook", true, nil, false, true, false},
		{"webhook", true, full, false, true, true},
		{"webhook", true, nil, true, false, false},
		{"webhook", false, nil, false, true, false},
		{"webhook", false, nil, true, false, false},
		{"queue", true, nil, false, true, false},
		{"queue", true, full, false, false, true},
		{"queue", true, nil, true, false, false},
	} {
		a := &App{cfg: &config.Config{Delivery: config.Delivery{Accept: c.accept}}}
		if c.queue {
			a.queue = &sickQueue{health: c.health}
		}
		a.draining.Store(c.draining)
		if got := a.ready(t.Context()); (got == nil) != c.ready {
			t.Errorf("%+v: ready says %v", c, got)
		}
		if got := a.degraded(t.Context()); (got != nil) != c.degraded {
			t.Errorf("%+v: degraded says %v", c, got)
		}
	}
}

// A store that fails is told of once, and once when it works again.
func TestTellStore(t *testing.T) {
	var log bytes.Buffer
	q, was := &sickQueue{}, ""
	a := &App{queue: q, deps: Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	for _, step := range []struct {
		health error
		lines  int
	}{{nil, 0}, {errors.New("the disk is full"), 1}, {errors.New("away"), 1}, {nil, 2}, {nil, 2}} {
		q.health = step.health
		was = a.tellStore(t.Context(), was)
		if n := strings.Count(log.String(), "\n"); n != step.lines {
			t.Errorf("after %v: %d lines, want %d:\n%s", step.health, n, step.lines, &log)
		}
	}
}
