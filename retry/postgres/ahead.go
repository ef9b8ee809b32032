package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"postern/retry"
)

// ahead leases new deliveries for this replica's worker in the transaction that
// stores them, as the worker's last request allows: they need neither a look nor a
// lease of their own, and what waits for others stands in nobody's way.
type ahead struct {
	mu      sync.Mutex
	until   time.Time // when the worker's last request allows no more
	ended   bool      // nobody fetches any more, until a request allows again
	req     retry.LeaseRequest
	given   map[string]int  // to the request so far, by endpoint
	shut    map[string]bool // endpoints that are paused, or where older mail is due: it goes first
	octets  int64           // given to the request so far
	pending map[string]int  // leased, or about to be, and not fetched yet, by endpoint
	ready   []early
	late    []retry.Lease // to be given back: nobody came for them in time
	orphans chan struct{} // a hint that there are such without a worker
	giving  chan struct{} // a token for whoever gives leases back
}

func newAhead() *ahead {
	return &ahead{pending: map[string]int{}, orphans: make(chan struct{}, 1), giving: make(chan struct{}, 1)}
}

// early is a lease that its worker has yet to fetch.
type early struct {
	retry.Lease
	by time.Time // the latest: then it is given back
}

// A worker that doesn't ask within fetchWithin is busy elsewhere or gone: new mail is
// for whoever comes first, and so is what was leased ahead. The worker believes that
// a lease begins when it gets it, so no more than a part of its time (fetchShare, a
// divisor) may be gone by then, however long the commit took.
const (
	fetchWithin = 10 * time.Second
	fetchShare  = 4
)

// inlineAhead is the largest body that stays in memory with its lease: so much for
// each attempt that may be under way is no memory to speak of.
const inlineAhead = 16 << 10

// allow takes a request and what it was answered.
func (a *ahead) allow(req retry.LeaseRequest, answer []retry.Lease, shut map[string]bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = time.Time{}
	if req.Ahead {
		a.until, a.ended = now.Add(fetchWithin), false
	}
	a.req, a.shut, a.given, a.octets = req, shut, map[string]int{}, 0
	for _, l := range answer {
		a.give(l.Endpoint, l.Size)
	}
}

// revoke ends what the last request allowed.
func (a *ahead) revoke() {
	a.mu.Lock()
	a.until = time.Time{}
	a.mu.Unlock()
}

func (a *ahead) give(endpoint string, size int64) {
	a.given[endpoint]++
	a.req.Max--
	a.octets += size
}

// take says whether a delivery that is about to be stored may be leased, and for
// how long; then hand or drop it.
func (a *ahead) take(d retry.NewDelivery, size int64, now time.Time) (ttl time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.Wait > 0 || d.Dead != "" || !now.Before(a.until) {
		return 0, false
	}
	if a.shut[d.Endpoint] || a.req.Max <= 0 || a.req.Octets > 0 && a.octets >= a.req.Octets ||
		a.req.Room != nil && a.req.Room(d.Endpoint) <= a.given[d.Endpoint]+a.pending[d.Endpoint] {
		a.shut[d.Endpoint] = true // what comes after it isn't older
		return 0, false
	}
	a.req.Max--
	a.octets += size
	a.pending[d.Endpoint]++
	return a.req.TTL, true
}

// drop says that the delivery wasn't stored.
func (a *ahead) drop(endpoint string) {
	a.mu.Lock()
	a.unpend(endpoint)
	a.mu.Unlock()
}

func (a *ahead) unpend(endpoint string) {
	if a.pending[endpoint]--; a.pending[endpoint] <= 0 {
		delete(a.pending, endpoint)
	}
}

// hand puts a stored delivery's lease by for the worker; after the end it is late.
func (a *ahead) hand(e early, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		a.unpend(e.Endpoint)
		a.late = append(a.late, e.Lease)
		select {
		case a.orphans <- struct{}{}:
		default:
		}
		return
	}
	if by := now.Add(fetchWithin); by.Before(e.by) {
		e.by = by
	}
	a.ready = append(a.ready, e)
}

// fetch gives the leases to their worker, and makes the request what is left of it.
func (a *ahead) fetch(req retry.LeaseRequest, now time.Time) (ls []retry.Lease, rest retry.LeaseRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, octets := map[string]int{}, int64(0)
	a.part(now)
	for _, e := range a.ready {
		a.unpend(e.Endpoint)
		ls = append(ls, e.Lease)
		got[e.Endpoint]++
		octets += e.Size
	}
	a.ready = nil
	for endpoint, n := range a.pending {
		got[endpoint] += n
	}
	return ls, less(req, len(ls), octets, got)
}

// less is a request without what it was answered already.
func less(req retry.LeaseRequest, n int, octets int64, got map[string]int) retry.LeaseRequest {
	req.Max -= n
	if req.Octets > 0 && n > 0 {
		if req.Octets -= octets; req.Octets <= 0 {
			req.Max = 0
		}
	}
	if room := req.Room; room != nil && len(got) > 0 {
		req.Room = func(endpoint string) int { return room(endpoint) - got[endpoint] }
	}
	return req
}

// part puts what nobody fetched in time among the late ones.
func (a *ahead) part(now time.Time) {
	ready := a.ready[:0]
	for _, e := range a.ready {
		if now.Before(e.by) {
			ready = append(ready, e)
			continue
		}
		a.unpend(e.Endpoint)
		a.late = append(a.late, e.Lease)
	}
	a.ready = ready
}

// end leases no more; what nobody fetched, or is being stored, is late.
func (a *ahead) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until, a.ended = time.Time{}, true
	for _, e := range a.ready {
		a.unpend(e.Endpoint)
		a.late = append(a.late, e.Lease)
	}
	a.ready = nil
}

// takeLate returns what must be given back.
func (a *ahead) takeLate(now time.Time) []retry.Lease {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.part(now)
	ls := a.late
	a.late = nil
	return ls
}

func (a *ahead) keepLate(l retry.Lease) {
	a.mu.Lock()
	a.late = append(a.late, l)
	a.mu.Unlock()
}

// StopAhead implements retry.Leases.
func (q *Queue) StopAhead(ctx context.Context) {
	q.ahead.end()
	q.giveBack(ctx)
}

// giveBackLate gives back what no worker came for, until ctx ends: at once what was
// stored while its worker ended, and soon what one that hangs left.
func (q *Queue) giveBackLate(ctx context.Context) {
	again := time.NewTicker(pulseEvery)
	defer again.Stop()
	for {
		select {
		case <-q.ahead.orphans:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		q.giveBack(ctx)
	}
}

// giveBack makes due what was leased ahead and is late, and tells everybody. What
// can't be given back now is tried again; without the server it is due when the
// leases run out.
func (q *Queue) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstTry)
	defer cancel()
	select {
	case q.ahead.giving <- struct{}{}: // who waits finds the other's due
		defer func() { <-q.ahead.giving }()
	case <-ctx.Done():
		return
	}
	late := q.ahead.takeLate(q.now())
	if len(late) == 0 {
		return
	}
	var wg sync.WaitGroup
	var given atomic.Bool
	for _, l := range late {
		wg.Go(func() {
			if err := q.Release(ctx, l, retry.Attempt{}); err != nil && !errors.Is(err, retry.ErrLeaseLost) {
				q.ahead.keepLate(l)
				return
			}
			given.Store(true)
		})
	}
	wg.Wait()
	if given.Load() {
		q.hintAll()
	}
}
