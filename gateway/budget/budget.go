// Package budget shares out the memory that mail may take, so that the process
// stays within its limit whatever arrives. Whoever would hold a mail's octets
// books them first.
//
// There are two kinds of booking, and only one of them waits:
//
//   - Hold is for what lies about while others act: a spool while its client
//     sends, an envelope while it grows. It never waits. Refused, a spool goes
//     to disk and a recipient is answered 452.
//   - Take is for work: parsing, rendering, an attempt at queued mail. It waits
//     in the order of arrival until its time is over: answer 452 4.3.1 then.
//
// Who has taken never waits for more: a Grant grows only by what is free. So
// nobody waits in a circle. Work that finds no other work of its kind under way
// begins even where it is heavier than the whole budget: a giant goes alone.
//
// A quarter of the budget is for small work only (the express share), so that
// ordinary mail passes a giant that waits; and small work takes of the rest
// only while no large work waits, so that the giant's turn comes.
//
// All is freed by whoever booked it. Nothing is booked for what each
// connection has anyway: its buffers and the first octets of a message.
package budget

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrShort is returned when no memory, or no place at a processor, came free in
// time: answer 452 4.3.1 and let the sender come back.
var ErrShort = errors.New("budget: nothing came free for mail in time")

// The shares of a budget, as divisors of it.
const (
	expressShare = 4  // for small work only
	heldShare    = 4  // Hold gets no more
	smallWork    = 64 // work up to this part of the whole is small
)

// Budget is octets of memory, shared out. The zero value gives nothing; a nil
// Budget gives everything. It is safe for concurrent use.
type Budget struct {
	total int64

	mu      sync.Mutex
	held    int64
	bulk    work // out of the common share
	express work // out of the express share
	large   *list.List
	small   *list.List
	refused uint64
}

// work is what is taken out of a share.
type work struct {
	octets int64
	grants int
}

// waiter is a Take that waits. Its grant is set when its turn comes.
type waiter struct {
	octets int64
	since  time.Time
	ready  chan *Grant
}

// New returns a budget of so many octets.
func New(total int64) *Budget {
	return &Budget{total: max(total, 0), large: list.New(), small: list.New()}
}

// common is what is not the express share's.
func (b *Budget) common() int64 { return b.total - b.total/expressShare }

// isSmall says whether work may use the express share.
func (b *Budget) isSmall(n int64) bool { return n <= b.total/smallWork }

// Hold books n octets and reports whether there was room. It never waits.
func (b *Budget) Hold(n int64) bool { return b.holdWithin(n, heldShare) }

// Spare is Hold for who can do without: half of what Hold may give stays free for
// those who can't.
func (b *Budget) Spare(n int64) bool { return b.holdWithin(n, 2*heldShare) }

// holdWithin books n octets where all that is held stays within a share.
func (b *Budget) holdWithin(n, share int64) bool {
	if b == nil || n <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+n > b.total/share || b.held+b.bulk.octets+n > b.common() {
		return false
	}
	b.held += n
	return true
}

// Free gives back n octets of Hold.
func (b *Budget) Free(n int64) {
	if b == nil || n <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held -= n; b.held < 0 {
		panic("budget: more was freed than was held")
	}
	b.serve()
}

// Take books n octets for work, waiting for its turn until ctx ends: the error
// is ErrShort then, with ctx's cause. The caller must hold no other grant, and
// releases this one.
func (b *Budget) Take(ctx context.Context, n int64) (*Grant, error) {
	if b == nil {
		return &Grant{}, nil
	}
	n = max(n, 0)
	b.mu.Lock()
	if g := b.now(n); g != nil {
		b.mu.Unlock()
		return g, nil
	}
	line := b.large
	if b.isSmall(n) {
		line = b.small
	}
	w := &waiter{octets: n, since: time.Now(), ready: make(chan *Grant, 1)}
	place := line.PushBack(w)
	b.mu.Unlock()
	select {
	case g := <-w.ready:
		return g, nil
	case <-ctx.Done():
		return b.leave(ctx, line, place, w)
	}
}

// Try is Take without waiting; nil where others wait or there is no room.
func (b *Budget) Try(n int64) *Grant {
	if b == nil {
		return &Grant{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now(max(n, 0))
}

// Work takes n octets, waiting no longer than wait, and does with them what do
// says. Where that ends with an error that Needs more (errors.As), because the
// grant couldn't grow to it, all is released, the need is waited for, and do is
// called again. Without an error the grant is the caller's to release.
func (b *Budget) Work(ctx context.Context, wait time.Duration, n int64, do func(*Grant) error) (*Grant, error) {
	for {
		g, err := b.takeWithin(ctx, wait, n)
		if err != nil {
			return nil, err
		}
		if err = do(g); err == nil {
			return g, nil
		}
		g.Release()
		var more interface{ Needs() int64 }
		if !errors.As(err, &more) || more.Needs() <= n {
			return nil, err
		}
		n = more.Needs()
	}
}

// takeWithin is Take that waits no longer than wait. Most work waits for nothing
// and needs no timer.
func (b *Budget) takeWithin(ctx context.Context, wait time.Duration, n int64) (*Grant, error) {
	if g := b.Try(n); g != nil {
		return g, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	return b.Take(ctx, n)
}

// errWaited is the cause of a wait that took as long as Work allows.
var errWaited = fmt.Errorf("the time to wait for memory is over: %w", context.DeadlineExceeded)

// leave gives up a wait whose context ended, unless its grant has just come.
func (b *Budget) leave(ctx context.Context, line *list.List, place *list.Element, w *waiter) (*Grant, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case g := <-w.ready:
		return g, nil
	default:
	}
	line.Remove(place)
	b.refused++
	b.serve() // the one that left may have held up those behind it
	return nil, fmt.Errorf("%w: %d octets: %w", ErrShort, w.octets, context.Cause(ctx))
}

// now grants n octets at once, nil where others of their kind (small or large work)
// wait already or there is no room.
func (b *Budget) now(n int64) *Grant {
	if b.isSmall(n) {
		if b.small.Len() > 0 {
			return nil
		}
		return b.grantSmall(n)
	}
	if b.large.Len() > 0 || !b.fits(n) {
		return nil
	}
	return b.grant(&b.bulk, n)
}

// fits reports whether n octets of work may begin in the common share: beside what
// was granted of it, or, however much it is, where nothing was.
func (b *Budget) fits(n int64) bool {
	return b.bulk.grants == 0 || b.held+b.bulk.octets+n <= b.common()
}

// grantSmall grants small work out of the express share, or out of the common
// one where no large work waits for that.
func (b *Budget) grantSmall(n int64) *Grant {
	switch {
	case b.express.octets+n <= b.total/expressShare:
		return b.grant(&b.express, n)
	case b.large.Len() == 0 && b.fits(n):
		return b.grant(&b.bulk, n)
	}
	return nil
}

func (b *Budget) grant(of *work, n int64) *Grant {
	of.octets += n
	of.grants++
	return &Grant{b: b, of: of, octets: n}
}

// serve grants to those who wait, in their order, while there is room.
func (b *Budget) serve() {
	for e := b.large.Front(); e != nil && b.fits(e.Value.(*waiter).octets); e = b.large.Front() {
		w := b.large.Remove(e).(*waiter)
		w.ready <- b.grant(&b.bulk, w.octets)
	}
	for e := b.small.Front(); e != nil; e = b.small.Front() {
		w := e.Value.(*waiter)
		g := b.grantSmall(w.octets)
		if g == nil {
			return
		}
		b.small.Remove(e)
		w.ready <- g
	}
}
