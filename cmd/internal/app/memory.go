package app

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/budget"
	"postern/gateway/mail"
)

// The shares of the memory that the process may have.
const (
	mailShare = 2  // of which mail gets a half; the rest is connections, the store and the garbage collector's
	heapShare = 10 // of which Go's heap gets all but one: the rest is what Go doesn't count
)

// textShare is the part of the budget that one text may have: decoded and read
// it takes more than ten times as much.
const textShare = 16

// parseLimits are the parser's own, but for texts where memory is little.
func (a *App) parseLimits() mail.Limits {
	if a.budget == nil {
		return mail.Limits{}
	}
	reads := slices.ContainsFunc(a.cfg.Endpoints(), func(w config.Webhook) bool { return w.Markdown || w.Signals })
	return mail.Limits{ReadsHTML: reads, TextBytes: min(mail.DefaultTextBytes, a.budget.Stats().Total/textShare)}
}

// memoryEvery is how often it is looked whether mail waits for memory, and
// memoryWait for how long it must have, to be told.
const (
	memoryEvery = 5 * time.Second
	memoryWait  = time.Second
)

// shortOfMemory says that mail waits for memory, nil while none does.
func (a *App) shortOfMemory() error {
	if s := a.budget.Stats(); s.Waited > memoryWait {
		return fmt.Errorf("mail waits for memory, the oldest for %s", s.Waited.Round(time.Second))
	}
	return nil
}

// watchMemory tells the operator when memory for mail is short. Readiness has no
// say in it: elsewhere the same mail would need the same memory.
func (a *App) watchMemory(ctx context.Context) error {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	last := a.budget.Stats()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s := a.budget.Stats()
		if s.Waited > memoryWait || s.Refused > last.Refused {
			a.deps.Logger.Warn("mail waits for memory: raise POSTERN_MEMORY_LIMIT and the container's, or run more replicas",
				"waiting", s.Waiting, "longest", s.Waited.String(), "refused", s.Refused-last.Refused, "taken", s.Taken, "held", s.Held, "of", s.Total)
		}
		last = s
	}
}

// memory shares out POSTERN_MEMORY_LIMIT: the budget for mail, and the heap that
// the garbage collector aims at, unless GOMEMLIMIT says that.
func (a *App) memory() *budget.Budget {
	limit := int64(a.cfg.Process.MemoryLimit)
	if limit == 0 {
		limit = budget.MachineLimit(os.DirFS("/"))
	}
	if limit == 0 {
		a.deps.Logger.Warn("how much memory there is can't be found out, so mail has no bound on it: set POSTERN_MEMORY_LIMIT")
		return nil
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(limit - limit/heapShare)
		a.onClose("the heap's limit", func() error { debug.SetMemoryLimit(math.MaxInt64); return nil })
	}
	a.ballast = make([]byte, min(limit/ballastShare, maxBallast))
	return budget.New(limit / mailShare)
}

// The ballast is memory that nobody ever touches, so that the system never
// gives it. The garbage collector counts it all the same and works when the
// heap has doubled: with little in it that would be many times a second.
const (
	ballastShare = 10
	maxBallast   = 32 << 20
)
