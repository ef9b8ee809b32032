package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"postern/gateway/dispatch"
	"postern/retry"
	"postern/webhook"
)

// How often what waits for an endpoint is counted.
const (
	countFresh   = 5 * time.Second // an account below the quota is believed so long: other replicas add to it
	countAgain   = time.Second     // one above it, so that who makes room is noticed
	countShare   = 20              // counting may take one part of so many of the time, whatever waits
	countTimeout = 2 * time.Second
	tellOverfull = time.Minute // between two lines of the log about an endpoint
)

// quotas hold endpoints to what may wait for them, MAX_QUEUED and
// MAX_QUEUED_BYTES. Their account is the queue's of some seconds ago and what
// was added here since: replicas may go beyond it together by what they take in
// that time. While the queue can't be counted the last account goes on, and what
// leaves meanwhile makes no room; where there never was one it begins at nothing.
type quotas struct {
	queue Waiting
	log   *slog.Logger
	now   func() time.Time

	mu  sync.Mutex
	all map[string]*account
}

// Waiting counts what waits for endpoints.
type Waiting interface {
	Waiting(ctx context.Context, endpoint string, most int64) (retry.Waiting, error)
}

// account is an endpoint's.
type account struct {
	mu      sync.Mutex
	waiting retry.Waiting // as counted, and what was stored since
	pending retry.Waiting // booked and not stored yet: a count may not have it
	counted time.Time     // when the queue was asked; zero: never
	took    time.Duration // that it took
	told    time.Time
}

func newQuotas(queue Waiting, log *slog.Logger, now func() time.Time) *quotas {
	return &quotas{queue: queue, log: log, now: now, all: map[string]*account{}}
}

// booking is what is about to wait for an endpoint, on its account until end.
type booking struct {
	account            *account
	deliveries, octets int64
}

// end takes a booking from what is pending to what waits, if it was stored.
func (b booking) end(stored bool) {
	a := b.account
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending.Deliveries -= b.deliveries
	a.pending.Bytes -= b.octets
	if stored {
		a.waiting.Deliveries += b.deliveries
		a.waiting.Bytes += b.octets
	}
}

func endAll(bookings []booking, stored bool) {
	for _, b := range bookings {
		b.end(stored)
	}
}

// book counts so many more deliveries, of so many octets, as waiting for an
// endpoint until the booking ends; false where they are too many.
func (q *quotas) book(ctx context.Context, ep *webhook.Endpoint, deliveries, octets int64) (booking, bool) {
	a := q.account(ep)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !q.fits(ctx, a, ep, deliveries, octets) {
		return booking{}, false
	}
	a.pending.Deliveries += deliveries
	a.pending.Bytes += octets
	return booking{account: a, deliveries: deliveries, octets: octets}, true
}

// full reports whether nothing more may wait for an endpoint.
func (q *quotas) full(ctx context.Context, ep *webhook.Endpoint) bool {
	a := q.account(ep)
	a.mu.Lock()
	defer a.mu.Unlock()
	return !q.fits(ctx, a, ep, 1, 1)
}

func (q *quotas) account(ep *webhook.Endpoint) *account {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.all[ep.Name()]
	if a == nil {
		a = &account{}
		q.all[ep.Name()] = a
	}
	return a
}

// fits reports whether so much more may wait, and counts where that is due.
func (q *quotas) fits(ctx context.Context, a *account, ep *webhook.Endpoint, deliveries, octets int64) bool {
	most, mostOctets := ep.MaxQueued()
	if most <= 0 && mostOctets <= 0 {
		return true
	}
	over := func() bool {
		return most > 0 && a.waiting.Deliveries+a.pending.Deliveries+deliveries > most ||
			mostOctets > 0 && a.waiting.Bytes+a.pending.Bytes+octets > mostOctets
	}
	fresh := countFresh
	if over() {
		fresh = countAgain
	}
	if now := q.now(); a.counted.IsZero() || now.Sub(a.counted) >= max(fresh, countShare*a.took) {
		q.count(ctx, a, ep.Name(), most)
	}
	if over() {
		q.tell(a, ep.Name())
		return false
	}
	return true
}

// count asks the queue, which needn't look at more deliveries than may wait.
func (q *quotas) count(ctx context.Context, a *account, endpoint string, most int64) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	began := q.now()
	w, err := q.queue.Waiting(ctx, endpoint, most)
	a.counted, a.took = q.now(), q.now().Sub(began)
	if err != nil {
		q.log.Warn("what waits for an endpoint can't be counted; its last account goes on", "endpoint", endpoint, "err", err)
		return
	}
	a.waiting = w
}

func (q *quotas) tell(a *account, endpoint string) {
	now := q.now()
	if !a.told.IsZero() && now.Sub(a.told) < tellOverfull {
		return
	}
	a.told = now
	q.log.Warn("too much mail waits for an endpoint: what must wait for it is left with its sender (MAX_QUEUED, MAX_QUEUED_BYTES)",
		"endpoint", endpoint, "deliveries", a.waiting.Deliveries+a.pending.Deliveries, "octets", a.waiting.Bytes+a.pending.Bytes)
}

// overQuota reports whether deliveries of a message can't wait, since too many wait
// for their endpoint already. Those that become dead letters at once don't wait.
// The others are on the accounts of their endpoints until m.bookings end.
func (q *queue) overQuota(ctx context.Context, m *message, ds []*dispatch.Delivery) bool {
	count := map[*webhook.Endpoint]int64{}
	for _, d := range ds {
		if d.Outcome.Result == webhook.Deferred {
			count[d.Endpoint]++
		}
	}
	var bookings []booking
	for ep, n := range count {
		b, ok := q.quotas.book(context.WithoutCancel(ctx), ep, n, n*m.data.Size())
		if !ok {
			endAll(bookings, false)
			q.observer.Overfull(ep.Name())
			return true
		}
		bookings = append(bookings, b)
	}
	m.bookings = append(m.bookings, bookings...)
	return false
}

// anyFull reports whether too much waits already for one of the endpoints that
// mail is stored for first.
func (g *Gateway) anyFull(ctx context.Context, endpoints []*webhook.Endpoint) bool {
	for _, ep := range endpoints {
		if dispatch.Mailboxes.Is(ep) && g.queue.quotas.full(ctx, ep) {
			g.deps.Observer.Overfull(ep.Name())
			return true
		}
	}
	return false
}
