package history

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How the recorder writes.
const (
	flushEvery   = 500 * time.Millisecond // how long a record waits at most for others
	flushAt      = 2000                   // records and attempts of one batch
	pendingMax   = 8 << 20                // octets that wait to be written; more is dropped
	writeTimeout = 10 * time.Second       // of one batch
	pruneEvery   = time.Minute
)

// Config is the operator's.
type Config struct {
	Keep time.Duration // how long a record is kept
	// Show is what is kept of an address (POSTERN_LOG_ADDRESSES); nil keeps all.
	Show func(address string) string
}

// Deps are the parts that a recorder works with.
type Deps struct {
	Store  Store
	Logger *slog.Logger
	Now    func() time.Time
}

// Recorder takes records and attempts and writes them in batches. A nil
// *Recorder takes everything and keeps nothing.
type Recorder struct {
	cfg  Config
	deps Deps

	mu      sync.Mutex
	pending Batch
	octets  int
	wake    chan struct{} // a batch is full

	dropped atomic.Int64
	written atomic.Int64
}

// NewRecorder wires a recorder; Run writes what it takes.
func NewRecorder(cfg Config, deps Deps) *Recorder {
	if cfg.Show == nil {
		cfg.Show = func(address string) string { return address }
	}
	return &Recorder{cfg: cfg, deps: deps, wake: make(chan struct{}, 1)}
}

// Transaction takes the record of a transaction's end, and its slices for good.
// It doesn't wait.
func (r *Recorder) Transaction(rec Record) {
	if r == nil {
		return
	}
	rec.From, rec.Auth = r.cfg.Show(rec.From), r.cfg.Show(rec.Auth)
	for i := range rec.Author {
		rec.Author[i] = r.cfg.Show(rec.Author[i])
	}
	for i := range rec.To {
		rec.To[i].Address = r.cfg.Show(rec.To[i].Address)
	}
	for i := range rec.Attempts {
		r.show(&rec.Attempts[i])
	}
	r.take(rec.weight(), func(b *Batch) { b.Records = append(b.Records, rec) })
}

// Attempt takes an attempt out of the queue, and its slices for good. It
// doesn't wait.
func (r *Recorder) Attempt(a Attempt) {
	if r == nil {
		return
	}
	r.show(&a)
	r.take(a.weight(), func(b *Batch) { b.Attempts = append(b.Attempts, a) })
}

func (r *Recorder) show(a *Attempt) {
	for i := range a.To {
		a.To[i] = r.cfg.Show(a.To[i])
	}
}

// take adds to the pending batch where there is room, else counts a drop.
func (r *Recorder) take(octets int, add func(*Batch)) {
	r.mu.Lock()
	full := r.octets+octets > pendingMax
	if !full {
		add(&r.pending)
		r.octets += octets
	}
	ready := r.pending.Len() >= flushAt
	r.mu.Unlock()
	if full {
		r.dropped.Add(1)
	}
	if ready {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// Dropped is how many records and attempts were not kept since the start.
func (r *Recorder) Dropped() int64 { return r.dropped.Load() }

// Written is how many were kept.
func (r *Recorder) Written() int64 { return r.written.Load() }

// Run writes until ctx ends, then once more, and closes nothing.
func (r *Recorder) Run(ctx context.Context) {
	flush, prune := time.NewTicker(flushEvery), time.NewTicker(pruneEvery)
	defer flush.Stop()
	defer prune.Stop()
	var last string
	for {
		select {
		case <-ctx.Done():
			r.flush(ctx, &last)
			return
		case <-flush.C:
		case <-r.wake:
		case <-prune.C:
			r.prune(ctx)
			continue
		}
		r.flush(ctx, &last)
	}
}

// flush writes what is pending. A store that fails is logged once for each
// kind of failure, not for each batch. A batch that is begun is ended, at shutdown
// too.
func (r *Recorder) flush(ctx context.Context, last *string) {
	r.mu.Lock()
	batch := r.pending
	r.pending, r.octets = Batch{}, 0
	r.mu.Unlock()
	if batch.Len() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := r.deps.Store.Write(ctx, batch)
	if err == nil {
		r.written.Add(int64(batch.Len()))
		*last = ""
		return
	}
	r.dropped.Add(int64(batch.Len()))
	if err.Error() != *last {
		*last = err.Error()
		r.deps.Logger.Warn("history can't be written and is dropped; mail goes on", "err", err)
	}
}

func (r *Recorder) prune(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.deps.Store.Prune(ctx, r.deps.Now().Add(-r.cfg.Keep)); err != nil {
		r.deps.Logger.Warn("old history can't be removed", "err", err)
	}
}
