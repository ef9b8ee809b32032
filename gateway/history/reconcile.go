package history

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"postern/retry"
)

// How the reconciler looks through what isn't settled: slowly, since a day with a
// dead webhook leaves a million records so.
const (
	reconcileEvery = 2 * time.Second
	reconcileRests = time.Minute      // between two steps, at most, while all is well
	reconcileStep  = 100              // records
	reconcileSure  = 10 * time.Second // how long two views must differ: the recorder is behind by less
	reconcileOpen  = 1000             // records that differ and wait for their second look, at most
	reconcileLimit = 5 * time.Second  // for a step, where a store doesn't answer
	reconcilePage  = 500              // deliveries of a message that are listed at once
)

// Standing is a record of which something is in the queue, as far as it knows.
type Standing struct {
	N             int64 // its number
	Message       string
	Waiting, Dead int
}

// Correction is how a record stands in truth, if it still stands as it says.
type Correction struct {
	Standing
	Is   Counts
	Told *Attempt // what the story says of it; nil: it has it all
}

// Lister is the part of the queue that a Reconciler asks.
type Lister interface {
	List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error)
}

// Reconciler brings what records say of the queue in line with it. Whoever ends a
// delivery tells the recorder; but a crash, a full buffer or another process may
// lose that word, and then a message would be said to wait for good.
type Reconciler struct {
	store  Store
	queue  Lister
	logger *slog.Logger
	now    func() time.Time

	every time.Duration      // between two steps
	well  bool               // no record differed since the round began
	after int64              // the number of the last record that was looked at
	open  map[string]suspect // by message
	away  bool               // the last step failed, and that was said
}

// suspect is a record that the queue disagrees with.
type suspect struct {
	Standing
	waiting, dead int // in the queue
	since         time.Time
}

// NewReconciler wires a reconciler; Run makes it work.
func NewReconciler(store Store, queue Lister, logger *slog.Logger, now func() time.Time) *Reconciler {
	return &Reconciler{store: store, queue: queue, logger: logger, now: now, every: reconcileEvery, well: true, open: map[string]suspect{}}
}

// Run looks through the records until ctx ends: at a slower pace after each round in
// which all was well, at the first again with a record that differs.
func (r *Reconciler) Run(ctx context.Context) {
	tick := time.NewTimer(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.step(ctx)
		if err != nil && !r.away && ctx.Err() == nil {
			r.logger.Warn("the history can't be compared with the queue; mail goes on", "err", err)
		}
		r.away = err != nil
		tick.Reset(r.every)
	}
}

// differs has the next steps come at the first pace.
func (r *Reconciler) differs() { r.every, r.well = reconcileEvery, false }

// endRound begins with the first record again.
func (r *Reconciler) endRound() {
	if r.well && r.after > 0 { // a look at nothing costs nothing
		r.every = min(2*r.every, reconcileRests)
	}
	r.after, r.well = 0, true
}

// step looks at the next records, and once more at those that differed.
func (r *Reconciler) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reconcileLimit)
	defer cancel()
	found, err := r.store.Unsettled(ctx, r.after, reconcileStep)
	if err != nil {
		return err
	}
	for _, s := range found {
		waiting, dead, err := r.inQueue(ctx, s.Message)
		if err != nil {
			return err
		}
		if r.after = s.N; waiting == s.Waiting && dead == s.Dead {
			delete(r.open, s.Message)
			continue
		}
		r.differs()
		if was, ok := r.open[s.Message]; (!ok || was.Standing != s || was.waiting != waiting || was.dead != dead) && len(r.open) < reconcileOpen {
			r.open[s.Message] = suspect{s, waiting, dead, r.now()}
		}
	}
	if len(found) < reconcileStep {
		r.endRound()
	}
	return r.correct(ctx)
}

// inQueue counts the deliveries of a message.
func (r *Reconciler) inQueue(ctx context.Context, message string) (waiting, dead int, err error) {
	for page := (retry.Page{Size: reconcilePage}); ; {
		infos, next, err := r.queue.List(ctx, retry.Filter{MessageID: message}, page)
		if err != nil {
			return 0, 0, err
		}
		for i := range infos {
			if infos[i].State == retry.Dead {
				dead++
			} else {
				waiting++
			}
		}
		if next.After == "" {
			return waiting, dead, nil
		}
		page.After = next.After
	}
}

// correct sets those right that have differed for long enough, in the same way.
func (r *Reconciler) correct(ctx context.Context) error {
	var b Batch
	for id, s := range r.open {
		if r.now().Sub(s.since) < reconcileSure {
			continue
		}
		delete(r.open, id)
		waiting, dead, err := r.inQueue(ctx, id)
		if err != nil {
			return err
		}
		if waiting != s.waiting || dead != s.dead {
			continue // it changed meanwhile: the next round looks again
		}
		c, err := r.correction(ctx, s)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		b.Corrections = append(b.Corrections, c)
	}
	if len(b.Corrections) == 0 {
		return nil
	}
	return r.store.Write(ctx, b)
}

// correction is what the record's own story comes to, where that is what the queue
// says: its end came before its beginning was written. What the story doesn't
// explain has vanished from the queue.
func (r *Reconciler) correction(ctx context.Context, s suspect) (Correction, error) {
	rec, err := r.store.Get(ctx, s.Message)
	if err != nil {
		return Correction{}, err
	}
	told := rec.began
	for _, a := range later(rec.Attempts) {
		told = told.Settle(a)
	}
	c := Correction{Standing: s.Standing, Is: Counts{s.waiting, s.dead, told.Removed}}
	if gone := told.Waiting + told.Dead - s.waiting - s.dead; gone > 0 {
		c.Is.Removed += gone
		c.Told = &Attempt{Message: s.Message, To: []string{}, At: r.now().UTC().Truncate(time.Millisecond), Queued: true, Reason: "left the queue", Settles: Vanished, Parts: gone}
	}
	return c, nil
}
