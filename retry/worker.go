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

// The worker's bounds.
const (
	leaseTTL    = 2 * time.Minute  // how long an attempt's lease lasts; it is extended while the attempt runs
	heedEvery   = time.Second      // for what others wrote of endpoints, while no breaker is open
	heedOpen    = time.Second / 10 // while one is
	pollEvery   = 30 * time.Second // how often the queue is looked at without a hint that something is due
	errorPause  = time.Second      // before the next round where the store failed
	leaseBatch  = 256              // deliveries leased in one round at most
	leaseOctets = 64 << 20         // octets of bodies under way at most, but one larger body may go alone: attempts draw on the memory for mail
	backSpread  = 3 * time.Minute  // how long it takes until an endpoint that works again got all that waits for it
	cautious    = 2                // attempts under way at first after an unclean end (WorkerDeps.Cautious)
	skipRest    = time.Second      // how long an endpoint is left alone after a Skip that says no time
	settleLimit = 30 * time.Second // for writing down an attempt's outcome
	lookLimit   = 30 * time.Second // for finding out what is due, where the store doesn't answer
)

// Reasons of dead letters that the worker itself makes.
const (
	ReasonExpired = "expired" // older than the policy's MaxAge
	ReasonCorrupt = "corrupt" // the stored bytes don't match their checksum
)

// ReasonLost is the reason of an attempt whose outcome nobody stored, and ErrorLost
// its error.
const (
	ReasonLost = "lost"
	ErrorLost  = "the gateway that had it ended, or lost the store, before the outcome was stored"
)

// Observer hears what the worker does, for metrics. Its methods must return
// quickly.
type Observer interface {
	// Attempted is called after each attempt, for how long it took.
	Attempted(l Lease, o Outcome, took time.Duration)
	// Died is called when a delivery became a dead letter.
	Died(l Lease, reason string)
}

// WorkerConfig is what the operator decides.
type WorkerConfig struct {
	Policy Policy        // zero: DefaultPolicy
	Grace  time.Duration // for attempts under way when Run is told to end; 0: 30 s
}

// WorkerDeps are the parts that a Worker works with.
type WorkerDeps struct {
	Breakers *Breakers                 // nil: none
	Share    func(endpoint string) int // attempts under way at most; nil: 64
	// Cautious begins with few attempts at once and more with each that ends:
	// one of the mails that wait may have ended the last process.
	Cautious bool
	Logger   *slog.Logger     // nil: none
	Now      func() time.Time // nil: a SteadyClock
	Rand     func() float64   // in [0,1), for jitter; nil: math/rand
	Observer Observer         // nil: nobody watches
	// DeadLetter is called after a delivery became a dead letter; failure
	// webhook and DSN hang here. It runs on the attempt's goroutine.
	DeadLetter func(ctx context.Context, l Lease, reason string, a Attempt)
}

func (c WorkerConfig) withDefaults() WorkerConfig {
	if c.Policy == (Policy{}) {
		c.Policy = DefaultPolicy()
	}
	if c.Grace == 0 {
		c.Grace = 30 * time.Second
	}
	return c
}

func (d WorkerDeps) withDefaults() WorkerDeps {
	if d.Share == nil {
		d.Share = func(string) int { return 64 }
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = SteadyClock(time.Now)
	}
	if d.Rand == nil {
		d.Rand = rand.Float64
	}
	if d.Breakers == nil {
		d.Breakers = NewBreakers(d.Now, nil)
	}
	return d
}

// WorkerQueue is the part of the queue that a worker works with.
type WorkerQueue interface {
	Leases
	BreakerStore
	RetryNow(ctx context.Context, f Filter, spread time.Duration) (int, error)
	Get(ctx context.Context, id string) (Info, []PastAttempt, error)
}

// Worker takes due deliveries from the queue, has them attempted and settles
// them. Several workers may share a queue.
type Worker struct {
	q      WorkerQueue
	d      Deliverer
	cfg    WorkerConfig
	deps   WorkerDeps
	ended  chan struct{} // a hint that an attempt ended
	began  time.Time     // when Run was called
	heeded time.Time     // when the store was asked of endpoints last; the loop's own

	mu          sync.Mutex
	inFlight    map[string]*flight   // by delivery id
	perEndpoint map[string]int       // attempts under way
	octets      int64                // of the bodies under way
	away        bool                 // the store couldn't be read last; only the loop touches it
	limit       int                  // while cautious, how many attempts may be under way; 0: it isn't any more
	rest        map[string]time.Time // until when an endpoint is left alone
	wg          sync.WaitGroup

	unread     int       // attempts since then whose message couldn't be read
	toldUnread time.Time // when that was told last
}

// flight is an attempt under way.
type flight struct {
	lease  Lease
	until  time.Time // end of its lease; only keepLeases touches it after start
	cancel context.CancelCauseFunc
}

// NewWorker returns a worker; Run starts it.
func NewWorker(q WorkerQueue, d Deliverer, cfg WorkerConfig, deps WorkerDeps) *Worker {
	w := &Worker{q: q, d: d, cfg: cfg.withDefaults(), deps: deps.withDefaults(), ended: make(chan struct{}, 1),
		inFlight: map[string]*flight{}, perEndpoint: map[string]int{}, rest: map[string]time.Time{}}
	if deps.Cautious {
		w.limit = cautious
	}
	return w
}

// Run works until ctx ends; then attempts under way have Grace to finish
// before they are cut short and given back. It returns nil then, and
// ErrUnhealthy (wrapped) when the store can't write any more.
func (w *Worker) Run(ctx context.Context) error {
	w.began = w.deps.Now()
	attempts, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	keeper, stopKeeper := context.WithCancel(attempts)
	kept := make(chan struct{})
	go func() { defer close(kept); w.keepLeases(keeper) }()
	err := w.loop(ctx, attempts)
	w.wg.Go(func() { w.q.StopAhead(attempts) }) // new mail is for others
	grace := time.AfterFunc(w.cfg.Grace, func() { cut(errShutdown) })
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
		}
		w.storeAway(err)
		switch {
		case err != nil:
			wake = errorPause
		case n > 0:
			continue
		}
		w.wait(ctx, wake)
	}
	return nil
}

// storeAway logs once that the store is away (err), and once that it is back (nil).
func (w *Worker) storeAway(err error) {
	switch {
	case err != nil && !w.away:
		w.deps.Logger.Error("the queue can't be read; it is tried every second", "err", err)
	case err == nil && w.away:
		w.deps.Logger.Info("the queue can be read again")
	}
	w.away = err != nil
}

func (w *Worker) saveBreakers(ctx context.Context) {
	if err := w.deps.Breakers.Save(ctx, w.q); err != nil && ctx.Err() == nil {
		w.deps.Logger.Warn("a breaker's state wasn't saved", "err", err)
	}
}
