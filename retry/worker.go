package retry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	leaseOctets = 64 << 20         // octets of bodies under way at most, one giant aside: whoever delivers them may wait for memory
	backSpread  = 3 * time.Minute  // over which an endpoint that came back gets what waits
	cautious    = 2                // attempts under way at first after an unclean end
	skipRest    = time.Second      // an endpoint rests after a Skip that says no time
	settleLimit = 30 * time.Second // for writing an attempt's outcome
	lookLimit   = 30 * time.Second // for finding out what is due: a store may be away
)

// Reasons of dead letters that the worker itself makes.
const (
	ReasonExpired = "expired" // older than the policy's MaxAge
	ReasonCorrupt = "corrupt" // the stored bytes don't match their checksum
)

// Observer hears what the worker does, for metrics. Its methods must return
// quickly.
type Observer interface {
	Attempted(l Lease, v Outcome, took time.Duration)
	Died(l Lease, reason string)
}

// WorkerOptions say how a Worker works. Zero fields take defaults.
type WorkerOptions struct {
	Policy      Policy
	Breakers    *Breakers                 // nil: none
	Concurrency func(endpoint string) int // attempts under way at most; nil: 64
	Grace       time.Duration             // for attempts under way when Run is told to end; 0: 30 s
	// Cautious begins with few attempts at once and more with each that ends:
	// one of the mails that wait may have ended the last process.
	Cautious bool
	Logger   *slog.Logger
	Now      func() time.Time
	Rand     func() float64 // in [0,1)
	Observer Observer
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

// WorkerQueue is the part of the queue that a worker works with.
type WorkerQueue interface {
	Leases
	BreakerStore
	RetryNow(ctx context.Context, f Filter, spread time.Duration) (int, error)
}

// Worker takes due deliveries from the queue, has them attempted and settles
// them. Several workers may share a queue.
type Worker struct {
	q     WorkerQueue
	d     Deliverer
	o     WorkerOptions
	ended chan struct{} // a hint that an attempt ended
	began time.Time     // when Run was called

	mu       sync.Mutex
	inFlight map[string]*flight // by delivery id
	perEnd   map[string]int     // under way by endpoint
	octets   int64              // of the bodies under way
	away     bool               // the store couldn't be read; the loop's own
	limit    int                // attempts under way at most while cautious, 0 no more
	rest     map[string]time.Time
	wg       sync.WaitGroup
}

// flight is an attempt under way.
type flight struct {
	lease  Lease
	until  time.Time // of its lease; keepLeases' own after start
	cancel context.CancelCauseFunc
}

// NewWorker returns a worker; Run starts it.
func NewWorker(q WorkerQueue, d Deliverer, o WorkerOptions) *Worker {
	w := &Worker{q: q, d: d, o: o.withDefaults(), ended: make(chan struct{}, 1),
		inFlight: map[string]*flight{}, perEnd: map[string]int{}, rest: map[string]time.Time{}}
	if o.Cautious {
		w.limit = cautious
	}
	return w
}

// Run works until ctx ends; then attempts under way have Grace to finish
// before they are cut short and given back. It returns nil then, and
// ErrUnhealthy (wrapped) when the store can't write any more.
func (w *Worker) Run(ctx context.Context) error {
	w.began = w.o.Now()
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
			w.storeAway(err)
			wake = errorPause
		case n > 0:
			w.storeAway(nil)
			continue
		default:
			w.storeAway(nil)
		}
		w.wait(ctx, wake)
	}
	return nil
}

// storeAway tells once that the store is away, and with nil that it is back.
func (w *Worker) storeAway(err error) {
	switch {
	case err != nil && !w.away:
		w.o.Logger.Error("the queue can't be read; it is tried every second", "err", err)
	case err == nil && w.away:
		w.o.Logger.Info("the queue can be read again")
	}
	w.away = err != nil
}

func (w *Worker) saveBreakers(ctx context.Context) {
	if err := w.o.Breakers.Save(ctx, w.q); err != nil && ctx.Err() == nil {
		w.o.Logger.Warn("a breaker's state wasn't saved", "err", err)
	}
}
