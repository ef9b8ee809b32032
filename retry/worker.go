package retry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// Times of the worker.
const (
	leaseTTL    = 2 * time.Minute  // an attempt's lease, extended while it runs
	pollEvery   = 30 * time.Second // looks at the queue even without a hint
	errorPause  = time.Second      // after the store failed
	leaseBatch  = 256              // deliveries taken at once at most
	skipRest    = time.Second      // an endpoint rests after a Skip that says no time
	settleLimit = 30 * time.Second // for writing an attempt's outcome
	lookLimit   = 30 * time.Second // for finding out what is due: a store may be away
)

// Deliverer attempts a delivery. It asks Breakers.Begin itself, as for fresh
// mail, and answers Skip where it isn't allowed. The body has been verified.
type Deliverer interface {
	Deliver(ctx context.Context, l Lease) Verdict
}

// VerdictKind is what becomes of a delivery after an attempt.
type VerdictKind uint8

// The verdicts.
const (
	Later  VerdictKind = iota // try again when the policy says
	Done                      // delivered
	GiveUp                    // a dead letter, for Verdict.Reason
	Skip                      // not attempted: no attempt is counted
)

// Verdict is the end of an attempt.
type Verdict struct {
	Kind    VerdictKind
	After   time.Duration // the receiver's Retry-After; for Skip, how long to wait
	Reason  string        // of a dead letter, and for the observer
	Attempt Attempt
}

// Reasons of dead letters that the worker itself makes.
const (
	ReasonExpired = "expired" // older than the policy's MaxAge
	ReasonCorrupt = "corrupt" // the stored bytes don't match their checksum
)

// Observer hears what the worker does, for metrics. Its methods must return
// quickly.
type Observer interface {
	Attempted(l Lease, v Verdict, took time.Duration)
	Died(l Lease, reason string)
}

// WorkerOptions say how a Worker works. Zero fields take defaults.
type WorkerOptions struct {
	Policy      Policy
	Breakers    *Breakers                 // nil: none
	Concurrency func(endpoint string) int // attempts under way at most; nil: 64
	Grace       time.Duration             // for attempts under way when Run is told to end; 0: 30 s
	Logger      *slog.Logger
	Now         func() time.Time
	Rand        func() float64 // in [0,1)
	Observer    Observer
	// DeadLetter is called after a delivery became a dead letter; failure
	// webhook and DSN hang here. It runs on the attempt's goroutine.
	DeadLetter func(ctx context.Context, l Lease, reason string, a Attempt)
}

func (o WorkerOptions) withDefaults() WorkerOptions {
	if o.Policy == (Policy{}) {
		o.Policy = DefaultPolicy()
	}
	if o.Concurrency == nil {
		o.Concurrency = func(string) int { return 64 }
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = SteadyClock(time.Now)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Breakers == nil {
		o.Breakers = NewBreakers(o.Now, nil)
	}
	return o
}

// Worker takes due deliveries from the queue, has them attempted and settles
// them. Several workers may share a queue.
type Worker struct {
	q     Queue
	d     Deliverer
	o     WorkerOptions
	ended chan struct{} // a hint that an attempt ended

	mu       sync.Mutex
	inFlight map[string]*flight // by delivery id
	perEnd   map[string]int     // under way by endpoint
	rest     map[string]time.Time
	wg       sync.WaitGroup
}

// flight is an attempt under way.
type flight struct {
	lease  Lease
	cancel context.CancelCauseFunc
}

// NewWorker returns a worker; Run starts it.
func NewWorker(q Queue, d Deliverer, o WorkerOptions) *Worker {
	return &Worker{q: q, d: d, o: o.withDefaults(), ended: make(chan struct{}, 1),
		inFlight: map[string]*flight{}, perEnd: map[string]int{}, rest: map[string]time.Time{}}
}

// Run works until ctx ends; then attempts under way have Grace to finish
// before they are cut short and given back. It returns nil then, and
// ErrUnhealthy (wrapped) when the store can't write any more.
func (w *Worker) Run(ctx context.Context) error {
	attempts, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	keeper, stopKeeper := context.WithCancel(attempts)
	kept := make(chan struct{})
	go func() { defer close(kept); w.keepLeases(keeper) }()
	err := w.loop(ctx, attempts)
	grace := time.AfterFunc(w.o.Grace, func() { cut(errShutdown) })
	w.wg.Wait()
	grace.Stop()
	stopKeeper()
	<-kept
	w.saveBreakers(attempts)
	return err
}

// errShutdown cuts attempts short that outlast the grace.
var errShutdown = fmt.Errorf("the worker is shutting down: %w", context.Canceled)

func (w *Worker) loop(ctx, attempts context.Context) error {
	for ctx.Err() == nil {
		n, wake, err := w.round(ctx, attempts)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrUnhealthy):
			return fmt.Errorf("retry worker: %w", err)
		case err != nil:
			w.o.Logger.Error("the queue can't be read; trying again", "err", err)
			wake = w.o.Now().Add(errorPause)
		case n > 0:
			continue
		}
		w.wait(ctx, wake)
	}
	return nil
}

// round starts what can start now; with nothing to start it says when there
// may be.
func (w *Worker) round(ctx, attempts context.Context) (started int, wake time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	w.saveBreakers(ctx)
	expired, err := w.q.Lease(ctx, LeaseRequest{Max: leaseBatch, TTL: leaseTTL, Expired: true})
	if err != nil {
		return 0, wake, err
	}
	for _, l := range expired {
		w.start(attempts, l, w.expire)
	}
	room, wake := w.room()
	leases, err := w.q.Lease(ctx, LeaseRequest{Max: leaseBatch, TTL: leaseTTL, Room: room})
	if err != nil {
		return 0, wake, err
	}
	for _, l := range leases {
		w.start(attempts, l, w.attempt)
	}
	if n := len(expired) + len(leases); n > 0 {
		return n, wake, nil
	}
	next, err := w.q.NextDue(ctx, room)
	if !next.IsZero() && (wake.IsZero() || next.Before(wake)) {
		wake = next
	}
	return 0, wake, err
}

// room says what each endpoint can take beside what is under way, and when
// the first of those that rest comes back.
func (w *Worker) room() (room func(endpoint string) int, wake time.Time) {
	free, wake := w.o.Breakers.limits()
	now := w.o.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, until := range w.rest {
		if !now.Before(until) {
			delete(w.rest, name)
			continue
		}
		free[name] = 0
		if wake.IsZero() || until.Before(wake) {
			wake = until
		}
	}
	busy := maps.Clone(w.perEnd)
	return func(name string) int {
		n := w.o.Concurrency(name) - busy[name]
		if limit, ok := free[name]; ok {
			n = min(n, limit)
		}
		return max(n, 0)
	}, wake
}

// wait sleeps until the time, a hint, or the next poll.
func (w *Worker) wait(ctx context.Context, wake time.Time) {
	d := pollEvery
	if !wake.IsZero() {
		d = min(max(wake.Sub(w.o.Now()), 10*time.Millisecond), d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-w.q.Notify():
	case <-w.ended:
	case <-w.o.Breakers.Changed():
	}
}

func (w *Worker) saveBreakers(ctx context.Context) {
	if err := w.o.Breakers.Save(ctx, w.q); err != nil && ctx.Err() == nil {
		w.o.Logger.Warn("a breaker's state wasn't saved", "err", err)
	}
}
