package budget

import (
	"context"
	"fmt"
)

// Processors share out the time of the processors among work on large mail, so
// that small mail finds one free whatever arrives. Who would work on a large
// mail takes a place first, does what waits for nothing, and leaves:
//
//   - Enter and Leave are for a piece of work that is soon done: the next octets
//     of a mail on its way in or out. There are as many places as processors.
//   - Whole is for work on a whole large mail, which may take a second: parsing,
//     rendering. It never has all places, so pieces go on beside it.
//
// Places come in the order of arrival. Who has one takes no other and waits for
// nothing beyond this machine's disk: no network, no database, no lock of theirs. So
// nobody waits in a circle, or for long; who ends sooner ends its wait. A nil Processors has a place for everybody.
type Processors struct {
	all   chan struct{} // a value for each place taken
	whole chan struct{} // and for each of these that Whole took
	full  func()
}

// NewProcessors returns the places of n processors, of two at least: the system
// shares a single one between a whole mail and pieces. full is called whenever the
// last place is taken; nil: nobody wants to know.
func NewProcessors(n int, full func()) *Processors {
	n = max(n, 2)
	if full == nil {
		full = func() {}
	}
	return &Processors{all: make(chan struct{}, n), whole: make(chan struct{}, n-1), full: full}
}

// Enter waits for the place of a piece of work until ctx ends: the error is ErrShort
// then, with ctx's cause.
func (p *Processors) Enter(ctx context.Context) error {
	if p == nil {
		return nil
	}
	if err := place(ctx, p.all); err != nil {
		return err
	}
	if len(p.all) == cap(p.all) {
		p.full()
	}
	return nil
}

// place takes one.
func place(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: a place at a processor: %w", ErrShort, context.Cause(ctx))
	}
}

// Leave gives it back.
func (p *Processors) Leave() {
	if p != nil {
		<-p.all
	}
}

// Whole does work on a whole large mail once there is a place; Enter's error says
// that it was never begun.
func (p *Processors) Whole(ctx context.Context, work func()) error {
	if p != nil {
		if err := place(ctx, p.whole); err != nil {
			return err
		}
		defer func() { <-p.whole }()
	}
	if err := p.Enter(ctx); err != nil {
		return err
	}
	defer p.Leave()
	work()
	return nil
}
