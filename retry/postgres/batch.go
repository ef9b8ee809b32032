package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"postern/retry/engine"
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

// op is what one caller wants.
type op[T any] = engine.Op[T]

// batcher puts what several callers want at the same time into one transaction.
// Nobody waits for company: one who comes alone goes at once, and what comes
// while all lanes are under way goes with the next of them.
type batcher[T any] struct {
	*engine.Group[T]
	// run sets each op's Err; ctx has no end.
	run func(ctx context.Context, batch []*op[T])
}

func newBatcher[T any](run func(context.Context, []*op[T])) *batcher[T] {
	return &batcher[T]{run: run, Group: engine.NewGroup[T](engine.GroupBounds{
		Ops: 256, Bytes: 4 << 20, // the server's usual work_mem: it writes no temporary file
		Hang: hangLimit, ErrUnknown: errUnknown, ErrClosed: errClosed,
	})}
}

// start works on so many batches at a time until ctx ends, and finishes then
// what callers have handed in.
func (b *batcher[T]) start(ctx context.Context, lanes int) {
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() { b.lane(ctx) })
	}
	go func() { wg.Wait(); b.End() }()
}

func (b *batcher[T]) lane(ctx context.Context) {
	for {
		select {
		case o := <-b.Waiting():
			b.work(o)
		case <-ctx.Done():
			for {
				select {
				case o := <-b.Waiting():
					b.work(o)
				default:
					return
				}
			}
		}
	}
}

func (b *batcher[T]) work(first *op[T]) {
	var batch engine.Batch[T]
	b.Gather(&batch, first)
	if len(batch.Ops) == 0 {
		return
	}
	b.run(context.Background(), batch.Ops) // a batch has many callers
	for _, o := range batch.Ops {
		o.Finish()
	}
}
