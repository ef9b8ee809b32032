package gateway

import (
	"context"
	"time"
)

// pauseEvery is how often the store is asked for what the operator paused; a
// pause reaches fresh mail within it.
const pauseEvery = time.Second

// WatchPauses keeps what is paused at hand for fresh mail until ctx ends, so
// that no message costs a query.
func (g *Gateway) WatchPauses(ctx context.Context) {
	if g.Queue == nil {
		return
	}
	tick := time.NewTicker(pauseEvery)
	defer tick.Stop()
	for {
		g.readPauses(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (g *Gateway) readPauses(ctx context.Context) {
	states, err := g.Queue.Endpoints(ctx)
	if err != nil {
		return // the last known stays
	}
	paused := map[string]time.Time{}
	for _, s := range states {
		if s.Paused {
			paused[s.Endpoint] = s.PausedUntil
		}
	}
	g.pauses.Store(&paused)
}

// paused reports whether the operator paused the endpoint.
func (g *Gateway) paused(endpoint string) bool {
	all := g.pauses.Load()
	if all == nil {
		return false
	}
	until, ok := (*all)[endpoint]
	return ok && (until.IsZero() || g.Now().Before(until))
}
