package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what goes into one transaction.
const (
	batchOps   = 256
	batchBytes = 4 << 20 // the server's usual work_mem: it writes no temporary file
)

// hangLimit is how long a caller that has given up waits for the server.
const hangLimit = 5 * time.Second

var (
	// errAlone is a batch's answer to who is no part of it and must work in a
	// transaction of its own.
	errAlone = errors.New("postgres: not in company")
	// errUnknown is returned when the caller's time is over and the server
	// didn't answer.
	errUnknown = errors.New("postgres: the server didn't answer and the outcome is unknown")
	errClosed  = errors.New("postgres: the queue is closed")
)

// batcher puts what several callers want at the same time into one transaction.
// Nobody waits for company: one who comes alone goes at once, and what comes
// while all lanes are under way goes with the next of them.
type batcher[T any] struct {
	ops chan *op[T]
	// run sets each op's err; ctx has no end.
	run func(ctx context.Context, batch []*op[T])
	end chan struct{} // closed when the lanes have ended
}

// op is what one caller wants.
type op[T any] struct {
	it     T
	weight int64 // octets that it sends
	err    error
	done   chan struct{}
	// claimed is by the lane that works on it or by a caller that gave up.
	claimed atomic.Bool
}

func newBatcher[T any](run func(context.Context, []*op[T])) *batcher[T] {
	return &batcher[T]{ops: make(chan *op[T], batchOps), run: run, end: make(chan struct{})}
}

// start works on so many batches at a time until ctx ends, and finishes then
// what callers have handed in.
func (b *batcher[T]) start(ctx context.Context, lanes int) {
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() { b.lane(ctx) })
	}
	go func() { wg.Wait(); close(b.end) }()
}

func (b *batcher[T]) lane(ctx context.Context) {
	for {
		select {
		case o := <-b.ops:
			b.work(o)
		case <-ctx.Done():
			for {
				select {
				case o := <-b.ops:
					b.work(o)
				default:
					return
				}
			}
		}
	}
}

func (b *batcher[T]) work(first *op[T]) {
	batch := b.collect(first)
	if len(batch) == 0 {
		return
	}
	b.run(context.Background(), batch) // a batch has many callers
	for _, o := range batch {
		close(o.done)
	}
}

// collect takes what waits already into one batch.
func (b *batcher[T]) collect(first *op[T]) (batch []*op[T]) {
	bytes := int64(0)
	for o := first; ; {
		if o.claimed.CompareAndSwap(false, true) {
			batch, bytes = append(batch, o), bytes+o.weight
		}
		if len(batch) == batchOps || bytes >= batchBytes {
			return batch
		}
		select {
		case o = <-b.ops:
		default:
			return batch
		}
	}
}

// do has it done in company and returns once the outcome is known. When the
// caller's context ends, an op that nobody has begun is dropped; another is
// waited for, unless the server hangs.
func (b *batcher[T]) do(ctx context.Context, it T, weight int64) error {
	o := &op[T]{it: it, weight: weight, done: make(chan struct{})}
	select {
	case b.ops <- o:
	case <-b.end:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-o.done:
		return o.err
	case <-b.end:
		return o.orClosed()
	case <-ctx.Done():
	}
	if o.claimed.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	hung := time.NewTimer(hangLimit)
	defer hung.Stop()
	select {
	case <-o.done:
		return o.err
	case <-b.end:
		return o.orClosed()
	case <-hung.C:
		return fmt.Errorf("%w: %w", errUnknown, ctx.Err())
	}
}

// orClosed is the outcome of an op whose lanes have ended.
func (o *op[T]) orClosed() error {
	select {
	case <-o.done:
		return o.err
	default:
		return errClosed
	}
}
