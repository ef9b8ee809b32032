// Package change does to deliveries what an operator asks for, for the API, the
// page and the commands alike: retry, replay and delete, of a few or of a million.
//
// It goes step by step, so that it can be watched, can be ended between two steps
// and never holds the store for long; what a step has done stays done. Each
// delivery that a change moves out of the queue or back to life is told to the
// history. Deliveries that are being attempted are left alone.
package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/gateway/history"
	"postern/retry"
)

// Verb is what is done.
type Verb string

// The verbs.
const (
	Retry  Verb = "retry"  // what waits is due now
	Replay Verb = "replay" // dead letters wait again
	Delete Verb = "delete" // gone for good
)

// step is how many deliveries one call of the store changes.
const step = 500

// Queue is what changes ask of the retry queue.
type Queue interface {
	List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error)
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
	Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error)
	RetryNow(ctx context.Context, f retry.Filter, spread time.Duration) (int, error)
	Delete(ctx context.Context, f retry.Filter) (int, error)
}

// Request says what is done to which deliveries.
type Request struct {
	Verb   Verb
	Filter retry.Filter
	To     string        // replay: another endpoint
	Wait   time.Duration // replay: until they are due
	Spread time.Duration // retry: over how long
	By     string        // who asks, for the history
}

// narrow is the filter for just the states of deliveries that the verb is for, and
// those; none where the filter asks for another.
func (r Request) narrow() (retry.Filter, []retry.State, error) {
	if r.Filter.Empty() && !r.Filter.All {
		return r.Filter, nil, retry.ErrNoFilter
	}
	states := map[Verb][]retry.State{Retry: {retry.Due}, Replay: {retry.Dead}, Delete: {retry.Due, retry.Dead}}[r.Verb]
	if r.Filter.State != "" {
		states = slices.DeleteFunc(states, func(s retry.State) bool { return s != r.Filter.State })
	}
	if len(states) == 1 {
		r.Filter.State = states[0]
	}
	return r.Filter, states, nil
}

// Changer makes changes.
type Changer struct {
	queue Queue
	tell  func(history.Attempt)
	now   func() time.Time
}

// New wires a changer; tell is nil where there is no history.
func New(q Queue, tell func(history.Attempt), now func() time.Time) *Changer {
	if tell == nil {
		tell = func(history.Attempt) {}
	}
	return &Changer{q, tell, now}
}

// Count is how many deliveries the request is about now.
func (c *Changer) Count(ctx context.Context, r Request) (int, error) {
	f, states, err := r.narrow()
	if err != nil || len(states) == 0 {
		return 0, err
	}
	return retry.Count(ctx, c.queue, f, 0)
}

// Do makes the change and returns how many deliveries it changed, those before an
// error too; retry.ErrNoFilter as the queue has it. After each step, progress hears
// how many it were.
func (c *Changer) Do(ctx context.Context, r Request, progress func(n int)) (n int, err error) {
	f, states, err := r.narrow()
	if err != nil || len(states) == 0 {
		return 0, err
	}
	r.Filter = f
	for page := (retry.Page{Size: step}); ; {
		found, next, err := c.queue.List(ctx, r.Filter, page)
		if err != nil {
			return n, err
		}
		found = slices.DeleteFunc(found, func(i retry.Info) bool { return !slices.Contains(states, i.State) })
		changed, err := c.some(ctx, r, found)
		if n += changed; err != nil {
			return n, err
		}
		if progress != nil {
			progress(n)
		}
		if next.After == "" {
			return n, nil
		}
		page.After = next.After
	}
}

// some changes the deliveries of a step.
func (c *Changer) some(ctx context.Context, r Request, found []retry.Info) (n int, err error) {
	if len(found) == 0 {
		return 0, nil
	}
	f := retry.Filter{State: r.Filter.State}
	for i := range found {
		f.IDs = append(f.IDs, found[i].ID)
	}
	at := c.now().UTC().Truncate(time.Millisecond) // before an attempt that comes of it
	switch r.Verb {
	case Retry:
		return c.queue.RetryNow(ctx, f, r.Spread)
	case Replay:
		n, err = c.queue.Replay(ctx, f, r.To, r.Wait)
	case Delete:
		n, err = c.queue.Delete(ctx, f)
	default:
		return 0, fmt.Errorf("change: there is no %q", r.Verb)
	}
	if err != nil {
		return n, err
	}
	for i := range found {
		if n == len(found) || c.happened(ctx, r.Verb, found[i].ID) {
			c.tell(event(r, &found[i], at))
		}
	}
	return n, nil
}

// happened reports whether a delivery was changed, where some were taken by
// somebody else in between.
func (c *Changer) happened(ctx context.Context, v Verb, id string) bool {
	info, _, err := c.queue.Get(ctx, id)
	if v == Delete {
		return errors.Is(err, retry.ErrNotFound)
	}
	return err == nil && info.State != retry.Dead
}

// event is what the history says of a delivery's change.
func event(r Request, i *retry.Info, at time.Time) history.Attempt {
	a := history.Attempt{Message: i.MessageID, Delivery: i.ID, Endpoint: i.Endpoint, To: slices.Clone(i.Recipients), At: at,
		N: i.Attempts, Queued: true, Reason: "deleted", Settles: history.Deleted, WasDead: i.State == retry.Dead, By: r.By}
	if r.Verb == Replay {
		a.Reason, a.Settles, a.WasDead = "replayed", history.Replayed, false
		if r.To != "" {
			a.Endpoint = r.To
		}
	}
	return a
}
