package dispatch

import (
	"container/list"
	"context"
	"net/http"
	"sync"

	"postern/webhook"
)

// slots hands out the POSTs that an endpoint gets at once, CONCURRENCY or what
// its pace allows, to fresh and to queued mail:
//
//   - fresh mail first: it takes any free slot, and of those who wait it is next;
//   - queued mail leaves one slot to fresh mail, where there is more than one;
//   - queued mail that has none gets the next one, where there is more than one,
//     so that a stream of fresh mail doesn't hold the queue up for ever.
type slots struct {
	bounds bounds // of the pace; the same least and most: it is fixed

	mu      sync.Mutex
	pace    pace
	trip    trip
	busy    [2]int        // by origin
	waiting [2]*list.List // of chan struct{}, by origin, oldest first
}

func newSlots(b bounds) *slots {
	return &slots{bounds: b, pace: pace{slots: b.least}, waiting: [2]*list.List{list.New(), list.New()}}
}

// acquire waits for a slot until ctx ends; release gives it back. Before a wait it
// calls waits.
func (s *slots) acquire(ctx context.Context, o Origin, waits func()) error {
	s.mu.Lock()
	if s.free(o) && s.waiting[o].Len() == 0 {
		s.take(o)
		s.mu.Unlock()
		return nil
	}
	ready := make(chan struct{})
	place := s.waiting[o].PushBack(ready)
	s.mu.Unlock()
	waits()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-ready: // its turn came at the same moment
		return nil
	default:
		s.waiting[o].Remove(place)
		return context.Cause(ctx)
	}
}

func (s *slots) release(o Origin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[o]--
	s.serve()
}

// take gives a slot to somebody.
func (s *slots) take(o Origin) {
	s.busy[o]++
	s.trip.peak = max(s.trip.peak, s.busy[Fresh]+s.busy[Queued])
}

// shortTrip is how many POSTs say something of an endpoint at least.
const shortTrip = 32

// learn takes note of a POST's end, while it still has its slot, and sets the
// pace anew at the end of a trip.
func (s *slots) learn(o webhook.Outcome) {
	if s.bounds.least == s.bounds.most || !Asked(o) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Status == 0 || o.Status == http.StatusTooManyRequests || o.Status >= 500 {
		s.trip.failed++
	} else {
		s.trip.took = append(s.trip.took, o.Elapsed)
	}
	if n := len(s.trip.took) + s.trip.failed; n < shortTrip || n < s.trip.peak {
		return
	}
	s.pace = s.pace.next(s.trip, s.bounds)
	s.trip = trip{took: s.trip.took[:0], peak: s.busy[Fresh] + s.busy[Queued]}
	s.serve()
}

// most is how many slots there are now.
func (s *slots) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace.slots
}

// serve gives what is free to those who wait.
func (s *slots) serve() {
	for {
		o, any := s.next()
		if !any {
			return
		}
		s.take(o)
		close(s.waiting[o].Remove(s.waiting[o].Front()).(chan struct{}))
	}
}

// next is whose turn it is; any is false where nobody who waits may begin.
func (s *slots) next() (o Origin, any bool) {
	fresh := s.waiting[Fresh].Len() > 0 && s.free(Fresh)
	queued := s.waiting[Queued].Len() > 0 && s.free(Queued)
	if queued && (!fresh || s.pace.slots > 1 && s.busy[Queued] == 0) {
		return Queued, true
	}
	return Fresh, fresh
}

// free reports whether the origin may take a slot now.
func (s *slots) free(o Origin) bool {
	if s.busy[Fresh]+s.busy[Queued] >= s.pace.slots {
		return false
	}
	return o == Fresh || s.busy[Queued] < max(s.pace.slots-1, 1)
}

// share is how many queued attempts may be under way beside the fresh ones.
func (s *slots) share() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(min(s.pace.slots-1, s.pace.slots-s.busy[Fresh]-s.waiting[Fresh].Len()), 1)
}

// Load is how busy an endpoint is.
type Load struct {
	Endpoint string
	Slots    int    // POSTs that may be under way at once
	Busy     [2]int // POSTs under way, by Origin
	Waiting  [2]int // deliveries that wait for a slot, by Origin
}

// Loads says how busy the endpoints are.
func (x *Dispatcher) Loads() []Load {
	list := make([]Load, 0, len(x.slots))
	for _, ep := range x.deps.Router.Endpoints() {
		s := x.slots[ep]
		s.mu.Lock()
		list = append(list, Load{ep.Name(), s.pace.slots, s.busy, [2]int{s.waiting[Fresh].Len(), s.waiting[Queued].Len()}})
		s.mu.Unlock()
	}
	return list
}

// Share is how many queued attempts an endpoint can take now in all, at least
// one: the rest of its slots is fresh mail's.
func (x *Dispatcher) Share(endpoint string) int {
	ep := x.deps.Router.Endpoint(endpoint)
	if ep == nil {
		return 1 // it is not configured any more; its mail waits for the operator
	}
	return x.slots[ep].share()
}
