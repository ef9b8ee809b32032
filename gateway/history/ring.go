package history

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern/gateway/text"
)

// Bounds of a Ring by default.
const (
	RingRecords = 10_000
	RingOctets  = 32 << 20
)

// Ring keeps the last records in memory, for a gateway without a store. What
// is in it is gone when the process ends.
type Ring struct {
	records int
	octets  int
	now     func() time.Time

	mu    sync.Mutex
	next  int64 // the number of the next record
	items []numbered
	used  int // octets, about
	// forgotten is when each address was, as text.FoldAddress has it.
	forgotten map[string]time.Time
}

type numbered struct {
	n int64
	Record
}

// ringForgotten is how many people a ring remembers to have forgotten at most.
const ringForgotten = 10_000

// NewRing returns an empty ring of at most so many records and octets.
func NewRing(records, octets int, now func() time.Time) *Ring {
	return &Ring{records: records, octets: octets, now: now, next: 1, forgotten: map[string]time.Time{}}
}

var _ Store = (*Ring)(nil)

// Write implements Store.
func (g *Ring) Write(_ context.Context, b Batch) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		if g.isForgotten(r) {
			continue
		}
		r.began = r.Counts()
		g.items = append(g.items, numbered{g.next, *r})
		g.next++
		g.used += r.weight()
	}
	for i := range b.Attempts {
		g.add(&b.Attempts[i])
	}
	for i := range b.Corrections {
		g.correct(&b.Corrections[i])
	}
	over := 0
	for used := g.used; over < len(g.items) && (len(g.items)-over > g.records || used > g.octets); over++ {
		used -= g.items[over].weight()
	}
	g.drop(over)
	return nil
}

// add puts an attempt out of the queue beside the record that it belongs to.
func (g *Ring) add(a *Attempt) {
	for i := len(g.items) - 1; i >= 0; i-- {
		if r := &g.items[i].Record; r.ID == a.Message {
			g.used += a.weight()
			r.Attempts = append(slices.Clip(r.Attempts), *a)
			r.set(r.Counts().Settle(a))
			return
		}
	}
}

// correct sets a record right that stands as the correction says.
func (g *Ring) correct(c *Correction) {
	for i := range g.items {
		r := &g.items[i].Record
		if r.ID != c.Message || r.Waiting != c.Waiting || r.Dead != c.Dead {
			continue
		}
		if r.set(c.Is); c.Told != nil {
			g.used += c.Told.weight()
			r.Attempts = append(slices.Clip(r.Attempts), *c.Told)
		}
		return
	}
}

// isForgotten reports whether somebody whom the record names was forgotten since
// it ended.
func (g *Ring) isForgotten(r *Record) bool {
	return len(g.forgotten) > 0 && slices.ContainsFunc(r.addresses(), func(a string) bool {
		at, ok := g.forgotten[text.FoldAddress(a)]
		return ok && !r.At.After(at)
	})
}

// drop forgets the oldest n.
func (g *Ring) drop(n int) {
	for _, r := range g.items[:n] {
		g.used -= r.weight()
	}
	g.items = slices.Delete(g.items, 0, n)
}

// Find implements Store.
func (g *Ring) Find(_ context.Context, q Query) ([]Record, string, error) {
	if err := q.Check(); err != nil {
		return nil, "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.next
	if q.After != "" {
		at, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil || at < 0 {
			return nil, "", ErrCursor
		}
		last = at
	}
	limit, terms := q.Size(), q.Terms()
	found, end := []Record{}, int64(0)
	for _, item := range slices.Backward(g.items) {
		r := item.Record
		if item.n >= last || !q.Fits(&r, terms) {
			continue
		}
		if len(found) == limit {
			return found, strconv.FormatInt(end, 10), nil
		}
		r.Attempts, end = nil, item.n
		found = append(found, r)
	}
	return found, "", nil
}

// Get implements Store.
func (g *Ring) Get(_ context.Context, id string) (Record, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found *Record
	for i := range g.items {
		r := &g.items[i].Record
		switch {
		case r.ID == id:
			return r.clone(), nil
		case id == "" || !strings.HasPrefix(r.ID, id):
		case found != nil:
			return Record{}, ErrAmbiguous
		default:
			found = r
		}
	}
	if found == nil {
		return Record{}, ErrNotFound
	}
	return found.clone(), nil
}

func (r *Record) clone() Record {
	c := *r
	c.Attempts = append([]Attempt{}, r.Attempts...)
	return c
}

// Forget implements Store.
func (g *Ring) Forget(_ context.Context, address string) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.forgotten) >= ringForgotten {
		clear(g.forgotten)
	}
	g.forgotten[text.FoldAddress(address)] = g.now()
	n := 0
	g.items = slices.DeleteFunc(g.items, func(r numbered) bool {
		if !r.Names(address) {
			return false
		}
		n++
		g.used -= r.weight()
		return true
	})
	return n, nil
}

// Prune implements Store.
func (g *Ring) Prune(_ context.Context, before time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < len(g.items) && g.items[n].At.Before(before) {
		n++
	}
	g.drop(n)
	return nil
}

// Unsettled implements Store.
func (g *Ring) Unsettled(_ context.Context, after int64, limit int) ([]Standing, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Standing
	for _, item := range g.items {
		if item.n > after && len(all) < limit && (item.Waiting > 0 || item.Dead > 0) {
			all = append(all, Standing{item.n, item.ID, item.Waiting, item.Dead})
		}
	}
	return all, nil
}

// Close implements Store.
func (g *Ring) Close() error { return nil }
