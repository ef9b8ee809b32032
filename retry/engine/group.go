package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Group is what several callers want done at the same time, for a worker to put
// into one transaction: a commit costs the same for many as for one. A caller
// comes with Do; a worker takes the first Op of Waiting, gathers those that wait
// with it into a Batch, and finishes each.
type Group[T any] struct {
	bounds  GroupBounds
	waiting chan *Op[T]
	ended   chan struct{}
}

// GroupBounds are a group's.
type GroupBounds struct {
	Ops   int           // of one batch, and of those that may wait for it
	Bytes int64         // of one batch, with the op that goes past it
	Hang  time.Duration // how long a caller that has given up waits for an op under way
	// ErrUnknown is told to a caller whose op was under way for so long, ErrClosed
	// to one whose op nobody has done when the workers end.
	ErrUnknown, ErrClosed error
}

// Op is what one caller wants.
type Op[T any] struct {
	It  T
	Err error // its outcome, for a worker to set before it finishes it

	weight  int64
	done    chan struct{}
	claimed atomic.Bool // by a worker, to do it, or by its caller, to drop it
}

// NewGroup is a group without workers yet.
func NewGroup[T any](b GroupBounds) *Group[T] {
	return &Group[T]{bounds: b, waiting: make(chan *Op[T], b.Ops), ended: make(chan struct{})}
}

// Do has it done, which adds so many bytes to a batch, and returns its outcome once
// that is known. When the context ends, an op that nobody has begun is dropped;
// another is waited for, unless it hangs.
func (g *Group[T]) Do(ctx context.Context, it T, bytes int64) error {
	o := &Op[T]{It: it, weight: bytes, done: make(chan struct{})}
	select {
	case g.waiting <- o:
	case <-g.ended:
		return g.bounds.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-o.done:
		return o.Err
	case <-g.ended:
		return g.leftover(o)
	case <-ctx.Done():
	}
	if o.claimed.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	hung := time.NewTimer(g.bounds.Hang)
	defer hung.Stop()
	select {
	case <-o.done:
		return o.Err
	case <-g.ended:
		return g.leftover(o)
	case <-hung.C:
		return fmt.Errorf("%w: %w", g.bounds.ErrUnknown, ctx.Err())
	}
}

// leftover is the outcome of an op whose workers have ended.
func (g *Group[T]) leftover(o *Op[T]) error {
	select {
	case <-o.done:
		return o.Err
	default:
		return g.bounds.ErrClosed
	}
}

// Waiting is where a worker takes the first op of a batch.
func (g *Group[T]) Waiting() <-chan *Op[T] { return g.waiting }

// Len is how many ops wait.
func (g *Group[T]) Len() int { return len(g.waiting) }

// End says that nobody takes ops any more.
func (g *Group[T]) End() { close(g.ended) }

// Ended is closed by End.
func (g *Group[T]) Ended() <-chan struct{} { return g.ended }

// Batch is ops that a worker has claimed.
type Batch[T any] struct {
	Ops   []*Op[T]
	bytes int64
}

// Gather adds an op and all that wait already to the batch; full says that it
// takes no more. An op that its caller has dropped is left out.
func (g *Group[T]) Gather(b *Batch[T], o *Op[T]) (full bool) {
	for {
		if o.claimed.CompareAndSwap(false, true) {
			b.Ops, b.bytes = append(b.Ops, o), b.bytes+o.weight
		}
		if len(b.Ops) == g.bounds.Ops || b.bytes >= g.bounds.Bytes {
			return true
		}
		select {
		case o = <-g.waiting:
		default:
			return false
		}
	}
}

// Bytes is what the op adds to a batch.
func (o *Op[T]) Bytes() int64 { return o.weight }

// Finish tells the caller Err.
func (o *Op[T]) Finish() { close(o.done) }
