package app

import (
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/budget"
	"postern/gateway/mail"
)

// The budget is half of the limit, the heap gets nine tenths of it; an explicit
// GOMEMLIMIT is left alone.
func TestMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	a := &App{cfg: &config.Config{}, deps: Deps{Logger: slog.New(slog.DiscardHandler)}}
	a.cfg.Process.MemoryLimit = 100 << 20
	a.budget = a.memory()
	if got := a.budget.Stats().Total; got != 50<<20 {
		t.Errorf("the budget is %d", got)
	}
	if got := debug.SetMemoryLimit(-1); got != 90<<20 {
		t.Errorf("the heap's limit is %d", got)
	}
	if got := a.parseLimits().TextBytes; got >= mail.DefaultTextBytes || got < 1<<20 {
		t.Errorf("a text may have %d octets", got)
	}
	if err := a.Close(); err != nil || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Error("the heap's limit stays")
	}
	debug.SetMemoryLimit(1 << 30)
	a.cfg.Process.MemoryLimit = 0
	if a.memory().Stats().Total < 1<<20 || debug.SetMemoryLimit(-1) != 1<<30 {
		t.Error("without a setting the machine's memory counts, and an explicit GOMEMLIMIT stays")
	}
}

// Mail that waits for memory makes the gateway degraded, not unready.
func TestShortOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{cfg: &config.Config{}, budget: budget.New(1 << 20)}
		all, err := a.budget.Take(t.Context(), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if g, err := a.budget.Take(t.Context(), 1<<19); err == nil {
				g.Release()
			}
		}()
		synctest.Wait()
		if err := a.degraded(t.Context()); err != nil {
			t.Errorf("at once: %v", err)
		}
		time.Sleep(3 * time.Second)
		if err := a.degraded(t.Context()); err == nil || !strings.Contains(err.Error(), "mail waits for memory, the oldest for 3s") {
			t.Errorf("after 3 s: %v", err)
		}
		all.Release()
		synctest.Wait()
		if err := a.degraded(t.Context()); err != nil {
			t.Errorf("with memory: %v", err)
		}
	})
}
