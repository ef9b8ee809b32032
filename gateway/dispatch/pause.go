package dispatch

import (
	"context"
	"time"

	"postern/retry"
)

// Pauses knows what the operator paused; the retry queue does.
type Pauses interface {
	Endpoints(ctx context.Context) ([]retry.EndpointState, error)
}

// pauseEvery is how often the store is asked for what the operator paused; a
// pause reaches fresh mail within it.
const pauseEvery = time.Second

// WatchPauses keeps what is paused at hand for fresh mail until ctx ends, so
// that no message costs a query.
func (x *Dispatcher) WatchPauses(ctx context.Context) {
	if x.deps.Pauses == nil {
		return
	}
	tick := time.NewTicker(pauseEvery)
	defer tick.Stop()
	for {
		x.readPauses(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (x *Dispatcher) readPauses(ctx context.Context) {
	states, err := x.deps.Pauses.Endpoints(ctx)
	if err != nil {
		return // the last known stays
	}
	paused := map[string]time.Time{}
	for _, s := range states {
		if s.Paused {
			paused[s.Endpoint] = s.PausedUntil
		}
	}
	x.pauses.Store(&paused)
}

// paused reports whether the operator paused the endpoint.
func (x *Dispatcher) paused(endpoint string) bool {
	all := x.pauses.Load()
	if all == nil {
		return false
	}
	until, ok := (*all)[endpoint]
	return ok && (until.IsZero() || x.deps.Now().Before(until))
}
