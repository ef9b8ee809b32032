package postgres

import (
	"sync"
	"time"

	"postern/retry"
)

// ahead leases new deliveries for this replica's worker in the transaction that
// stores them, as the worker's last request allows: they need neither a look nor a
// lease of their own, and what waits for others stands in nobody's way.
type ahead struct {
	mu      sync.Mutex
	allowed bool
	req     retry.LeaseRequest
	given   map[string]int  // to the request so far, by endpoint
	shut    map[string]bool // endpoints that are paused, or where older mail is due: it goes first
	octets  int64           // given to the request so far
	pending map[string]int  // leased, or about to be, and not fetched yet, by endpoint
	ready   []early
}

// early is a lease that its worker has yet to fetch.
type early struct {
	retry.Lease
	at time.Time
}

// fetchWithin is how long the worker has for that. One that comes later finds too
// little of the lease's time left, and the delivery is due again when it runs out.
const fetchWithin = 10 * time.Second

// inlineAhead is the largest body that stays in memory with its lease: so much for
// each attempt that may be under way is no memory to speak of.
const inlineAhead = 16 << 10

// allow takes a request and what it was answered.
func (a *ahead) allow(req retry.LeaseRequest, answer []retry.Lease, shut map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowed, a.req, a.shut, a.given, a.octets = req.Ahead, req, shut, map[string]int{}, 0
	for _, l := range answer {
		a.give(l.Endpoint, l.Size)
	}
}

// revoke ends what the last request allowed.
func (a *ahead) revoke() {
	a.mu.Lock()
	a.allowed = false
	a.mu.Unlock()
}

func (a *ahead) give(endpoint string, size int64) {
	a.given[endpoint]++
	a.req.Max--
	a.octets += size
}

// take says whether a delivery that is about to be stored may be leased, and for
// how long; then hand or drop it.
func (a *ahead) take(d retry.NewDelivery, size int64) (ttl time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.Wait > 0 || d.Dead != "" || !a.allowed {
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

// hand puts a stored delivery's lease by for the worker.
func (a *ahead) hand(l retry.Lease, now time.Time) {
	a.mu.Lock()
	a.ready = append(a.ready, early{l, now})
	a.mu.Unlock()
}

// fetch gives the leases to their worker, and makes the request what is left of it.
func (a *ahead) fetch(req retry.LeaseRequest, now time.Time) (ls []retry.Lease, rest retry.LeaseRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, octets := map[string]int{}, int64(0)
	for _, e := range a.ready {
		a.unpend(e.Endpoint)
		if age := now.Sub(e.at); age < 0 || age > fetchWithin {
			continue
		}
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

// end leases no more and returns what nobody fetched.
func (a *ahead) end() (ls []retry.Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowed = false
	for _, e := range a.ready {
		ls = append(ls, e.Lease)
	}
	a.ready = nil
	return ls
}
