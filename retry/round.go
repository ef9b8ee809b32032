package retry

import (
	"context"
	"maps"
	"time"
)

// round starts the attempts that can start now. Where there are none, wake is how
// long it may be until there is one.
func (w *Worker) round(ctx, attempts context.Context) (started int, wake time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	w.saveBreakers(ctx)
	later, err := w.heedStore(ctx)
	if err != nil {
		return 0, pollEvery, err
	}
	w.bringForward(attempts)
	req, wake := w.request()
	if later > 0 {
		wake = min(wake, later)
	}
	leases, err := w.leaseDue(ctx, req)
	if err != nil {
		return 0, wake, err
	}
	for _, l := range leases {
		w.start(attempts, l, w.attempt)
	}
	ended := req // after what is due: it is in no hurry
	ended.Max, ended.Octets, ended.Expired = leaseBatch, 0, true
	expired, err := w.q.Lease(ctx, ended)
	if err != nil {
		return len(leases), wake, err
	}
	for _, l := range expired {
		w.start(attempts, l, w.expire)
	}
	if n := len(expired) + len(leases); n > 0 {
		return n, wake, nil
	}
	if req.Max <= 0 {
		return 0, wake, nil // until an attempt ends
	}
	next, some, err := w.q.NextDue(ctx, req)
	if some {
		wake = min(wake, next)
	}
	return 0, wake, err
}

// leaseDue leases deliveries for which there is room, in all and at their endpoint.
func (w *Worker) leaseDue(ctx context.Context, req LeaseRequest) ([]Lease, error) {
	if req.Max <= 0 {
		return nil, nil
	}
	return w.q.Lease(ctx, req)
}

// heedStore takes over what operators and other replicas wrote of endpoints: once
// a second at most, and more often while a breaker is open here, which an operator
// may close. It says how long it is until then, 0 where it has looked.
func (w *Worker) heedStore(ctx context.Context) (later time.Duration, err error) {
	now := w.deps.Now()
	every := heedEvery
	if w.deps.Breakers.anyOpen() {
		every = heedOpen
	}
	if later = w.heeded.Add(every).Sub(now); later > 0 {
		return later, nil
	}
	states, err := w.q.Endpoints(ctx)
	if err != nil {
		return 0, err
	}
	w.heeded = now
	w.deps.Breakers.heed(states)
	return 0, nil
}

// bringForward makes the waiting mail of endpoints that work again due within the
// next minutes (backSpread). It runs on goroutines of its own.
func (w *Worker) bringForward(ctx context.Context) {
	for _, name := range w.deps.Breakers.takeBack() {
		w.wg.Go(func() {
			n, err := w.q.RetryNow(ctx, Filter{Endpoint: name}, backSpread)
			switch {
			case err != nil:
				w.deps.Logger.Warn("an endpoint came back, but its waiting mail wasn't brought forward", "endpoint", name, "err", err)
			case n > 0:
				w.deps.Logger.Info("an endpoint came back: its waiting mail goes out over the next minutes", "endpoint", name, "count", n)
			}
		})
	}
}

// request asks for deliveries within what may be under way, in all and at each
// endpoint; wake is when the first of the endpoints that nobody may ask now may be
// asked again.
func (w *Worker) request() (req LeaseRequest, wake time.Duration) {
	free, held, wake := w.deps.Breakers.limits()
	wake = min(wake, pollEvery)
	now := w.deps.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, until := range w.rest {
		if !now.Before(until) {
			delete(w.rest, name)
			continue
		}
		free[name] = 0
		if until.Sub(now) > skipRest { // for a moment's rest no delivery loses its last attempt
			held[name] = true
		}
		wake = min(wake, until.Sub(now))
	}
	busy := maps.Clone(w.perEndpoint)
	req = LeaseRequest{Max: leaseBatch, TTL: leaseTTL, Octets: max(leaseOctets-w.octets, 1), Ahead: true}
	if w.limit > 0 {
		req.Max = min(req.Max, w.limit-len(w.inFlight))
	}
	crowded := w.octets >= leaseOctets
	req.Room = func(name string) int {
		n := w.deps.Share(name) - busy[name]
		if crowded && busy[name] > 0 { // large mail of one endpoint mustn't hold up the others'
			return 0
		}
		if limit, ok := free[name]; ok {
			n = min(n, limit)
		}
		return max(n, 0)
	}
	req.Held = func(name string) bool { return held[name] }
	if up := now.Sub(w.began); up < LastChance {
		req.Since = max(up, 1)
	}
	return req, wake
}

// LastChance is how long after a start mail that expired while nothing ran may
// still wait for its last attempt, where its endpoint is paused or its breaker open.
const LastChance = 10 * time.Minute

// wait sleeps for the time, or until a hint.
func (w *Worker) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(max(d, 10*time.Millisecond))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-w.q.Notify():
	case <-w.ended:
	case <-w.deps.Breakers.Changed():
	}
}
