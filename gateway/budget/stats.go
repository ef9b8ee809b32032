package budget

import (
	"container/list"
	"time"
)

// Stats is how a budget stands, in octets.
type Stats struct {
	Total   int64
	Held    int64         // spools and envelopes
	Taken   int64         // by work under way
	Waiting int           // pieces of work that wait
	Waited  time.Duration // for how long the oldest of them has
	Refused uint64        // pieces of work for which no memory came free in time, since the start
}

// Stats returns how the budget stands.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{Total: b.total, Held: b.held, Taken: b.bulk.octets + b.express.octets, Waiting: b.large.Len() + b.small.Len(), Refused: b.refused}
	if w := b.oldest(); !w.IsZero() {
		s.Waited = time.Since(w)
	}
	return s
}

// oldest is since when the oldest waits, zero where nobody does.
func (b *Budget) oldest() time.Time {
	large, small := since(b.large), since(b.small)
	if large.IsZero() || !small.IsZero() && small.Before(large) {
		return small
	}
	return large
}

// since is when the first of a line came, zero where nobody waits.
func since(line *list.List) time.Time {
	if e := line.Front(); e != nil {
		return e.Value.(*waiter).since
	}
	return time.Time{}
}

// crowdedAfter is how long small work waits before new connections are turned
// away: what is here already needs more than there is.
const crowdedAfter = 5 * time.Second

// Crowded reports whether even small work waits in vain: answer 421 to new
// connections.
func (b *Budget) Crowded() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	first := since(b.small)
	return !first.IsZero() && time.Since(first) > crowdedAfter
}
