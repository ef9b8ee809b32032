package budget

// Processors share out the time of the processors among work on large mail, so
// that small mail finds one free whatever arrives. Who would work on a large
// mail takes a place first, does what waits for nothing, and leaves:
//
//   - Enter and Leave are for a piece of work that is soon done: the next octets
//     of a mail on its way in or out. There are as many places as processors.
//   - Whole is for work on a whole large mail, which may take a second: parsing,
//     rendering. It never has all places, so pieces go on beside it.
//
// Places come in the order of arrival. Who has one takes no other, so nobody
// waits in a circle. A nil Processors has a place for everybody.
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

// Enter waits for the place of a piece of work.
func (p *Processors) Enter() {
	if p == nil {
		return
	}
	p.all <- struct{}{}
	if len(p.all) == cap(p.all) {
		p.full()
	}
}

// Leave gives it back.
func (p *Processors) Leave() {
	if p != nil {
		<-p.all
	}
}

// Whole does work on a whole large mail once there is a place.
func (p *Processors) Whole(work func()) {
	if p != nil {
		p.whole <- struct{}{}
		defer func() { <-p.whole }()
	}
	p.Enter()
	defer p.Leave()
	work()
}
