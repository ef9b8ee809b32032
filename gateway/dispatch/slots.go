package dispatch

import (
	"container/list"
	"context"
	"sync"
)

// slots hands out an endpoint's CONCURRENCY to fresh and to queued mail:
//
//   - fresh mail first: it takes any free slot, and of those who wait it is next;
//   - queued mail leaves one slot to fresh mail, where there is more than one;
//   - queued mail that has none gets the next one, where there is more than one,
//     so that a stream of fresh mail doesn't hold the queue up for ever.
type slots struct {
	max int

	mu      sync.Mutex
	busy    [2]int        // by origin
	waiting [2]*list.List // of chan struct{}, by origin, oldest first
}

func newSlots(n int) *slots {
	return &slots{max: n, waiting: [2]*list.List{list.New(), list.New()}}
}

// acquire waits for a slot until ctx ends; release gives it back. Before a wait it
// calls waits.
func (s *slots) acquire(ctx context.Context, o Origin, waits func()) error {
	s.mu.Lock()
	if s.free(o) && s.waiting[o].Len() == 0 {
		s.busy[o]++
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

// serve gives what is free to those who wait.
func (s *slots) serve() {
	for {
		o, any := s.next()
		if !any {
			return
		}
		s.busy[o]++
		close(s.waiting[o].Remove(s.waiting[o].Front()).(chan struct{}))
	}
}

// next is whose turn it is; any is false where nobody who waits may begin.
func (s *slots) next() (o Origin, any bool) {
	fresh := s.waiting[Fresh].Len() > 0 && s.free(Fresh)
	queued := s.waiting[Queued].Len() > 0 && s.free(Queued)
	if queued && (!fresh || s.max > 1 && s.busy[Queued] == 0) {
		return Queued, true
	}
	return Fresh, fresh
}

// free reports whether the origin may take a slot now.
func (s *slots) free(o Origin) bool {
	if s.busy[Fresh]+s.busy[Queued] >= s.max {
		return false
	}
	return o == Fresh || s.busy[Queued] < max(s.max-1, 1)
}

// share is how many queued attempts may be under way beside the fresh ones.
func (s *slots) share() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(min(s.max-1, s.max-s.busy[Fresh]-s.waiting[Fresh].Len()), 1)
}

// acquire waits for a slot of the delivery's endpoint. While it waits it gives up
// the parsed message: those who have the slots may need the memory.
func (x *Dispatcher) acquire(ctx context.Context, d *Delivery) (release func(), err error) {
	s := x.slots[d.Endpoint]
	if err := s.acquire(ctx, d.Origin, d.release); err != nil {
		return nil, err
	}
	return func() { s.release(d.Origin) }, nil
}

// Share is how many queued attempts an endpoint can take now in all, at least
// one: the rest of its CONCURRENCY is fresh mail's.
func (x *Dispatcher) Share(endpoint string) int {
	ep := x.deps.Router.Endpoint(endpoint)
	if ep == nil {
		return 1 // it is not configured any more; its mail waits for the operator
	}
	return x.slots[ep].share()
}
