package dispatch

import (
	"slices"
	"time"
)

// pace is how many POSTs an endpoint gets at once where the operator names no
// number. It follows the endpoint, as TCP follows a network: more while all are
// used and answers come as fast as ever, fewer when they slow down or fail. It
// keeps a least number, so that an endpoint whose work takes its time by nature
// isn't starved of it.
type pace struct {
	slots int
	usual time.Duration // what an answer takes when nothing is in its way; 0: not known
	found bool          // it once slowed down: from there on slots grow in small steps
}

// bounds are the least and the most slots.
type bounds struct{ least, most int }

// trip is what POSTs taught since the pace was last set: about as many as were
// under way at once, so that each of them met the pace's own effect.
type trip struct {
	peak   int             // under way at once at most; queued mail alone leaves one slot free
	took   []time.Duration // until each answer
	failed int             // POSTs that weren't answered, or with 429 or 5xx
}

// What a trip's typical answer means, as parts of the usual one. An endpoint that
// has all it can work on answers half as fast with twice as many POSTs: there
// slots stop growing. They fall only where answers take much longer still, since a
// busy machine of ours slows them down, too; noise is what it adds to quick ones.
const (
	fine  = 1.5
	slow  = 3
	noise = 25 * time.Millisecond
)

// next is the pace after a trip.
func (p pace) next(t trip, b bounds) pace {
	typical := median(t.took)
	than := func(part float64) time.Duration { return time.Duration(part*float64(p.usual)) + noise }
	known := p.usual > 0 && typical > 0
	switch {
	case t.failed*10 > len(t.took)+t.failed:
		p.slots, p.found = p.slots/2, true
	case known && typical > than(slow):
		p.slots, p.found = p.slots-p.slots/4, true
	case t.peak >= p.slots-1 && typical > 0 && (!known || typical <= than(fine)):
		p.slots += p.step()
	case t.peak < p.slots/2: // nobody knows what so many would do
		p.slots = 2 * t.peak
	}
	p.slots = min(max(p.slots, b.least), b.most)
	switch {
	case typical == 0:
	case p.usual == 0 || typical < p.usual:
		p.usual = typical
	case p.slots == b.least: // what is slow with so few is slow by itself
		wasSlow := typical > than(fine)
		p.usual += (typical - p.usual) / 4
		if wasSlow && typical <= than(fine) { // what was found belonged to a quicker endpoint
			p.found = false
		}
	}
	return p
}

// step is by how much the slots grow.
func (p pace) step() int {
	if p.found {
		return max(p.slots/4, 1)
	}
	return p.slots
}

func median(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// The bounds of an endpoint's pace.
const (
	leastSlots = 64   // what the smallest app server queues by itself
	mostSlots  = 1000 // as many as senders connect at once by default
	slotOctets = 64 << 10
	slotsShare = 8 // the part of the memory for mail that all connections to webhooks may have
)

// paceBounds are an endpoint's, of so many, where mail has so much memory; 0: no
// bound on that.
func paceBounds(memory int64, endpoints int) bounds {
	b := bounds{leastSlots, mostSlots}
	if memory > 0 {
		b.most = max(int(min(memory/slotsShare/slotOctets/int64(max(endpoints, 1)), mostSlots)), leastSlots)
	}
	return b
}
