package app

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"postern/gateway/budget"
)

// newProcessors shares out the processors among work on large mail.
func (a *App) newProcessors() *budget.Processors {
	return budget.NewProcessors(runtime.GOMAXPROCS(0), a.spare.wanted)
}

// spare is one more thread for Go code than there are processors, while work on
// large mail has all of them. Go hands out processors only every 10 ms then, which
// an SMTP dialogue would feel at each of its turns; the system does it at once.
// Without such work it would only cost: small mail takes a twelfth more CPU.
type spare struct {
	raised atomic.Bool
	last   atomic.Int64 // when it was wanted, in Unix nanoseconds
}

// spareFor is how long the spare thread stays after it was last wanted: to get it
// and to let it go stops all goroutines for a moment.
const spareFor = 5 * time.Second

// wanted is called when the last place at a processor is taken.
func (s *spare) wanted() {
	s.last.Store(time.Now().UnixNano())
	if !s.raised.Load() && !s.raised.Swap(true) {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// run lets the spare thread go once nobody wants it.
func (s *spare) run(ctx context.Context) error {
	tick := time.NewTicker(spareFor)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.letGo()
			return nil
		case <-tick.C:
		}
		if time.Since(time.Unix(0, s.last.Load())) > spareFor {
			s.letGo()
		}
	}
}

// letGo goes back to what the operator said or to what the machine has, which may
// be another number by now.
func (s *spare) letGo() {
	switch {
	case !s.raised.Load():
	case os.Getenv("GOMAXPROCS") != "":
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - 1)
		s.raised.Store(false)
	default:
		runtime.SetDefaultGOMAXPROCS()
		s.raised.Store(false)
	}
}
