package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/retry"
)

// Rounds of the model test; each is a queue of its own and a few hundred
// random operations.
const (
	modelRounds = 6
	modelSteps  = 250
)

// model plays random operations on the queue and on a model in memory that is
// too simple to be wrong, and compares all that can be seen.
func model(t *testing.T, open Factory) {
	seed := uint64(time.Now().UnixNano())
	for i := range modelRounds {
		t.Run(fmt.Sprintf("seed=%d", seed+uint64(i)), func(t *testing.T) {
			clock := NewClock()
			p := &player{harness: &harness{T: t, open: open, c: clock}, r: rand.New(rand.NewPCG(seed+uint64(i), 1)),
				all: map[string]*entry{}, paused: map[string]time.Time{}, sizes: map[string]int64{}}
			p.start(Bounds{})
			for range modelSteps {
				p.step()
			}
			p.compare()
		})
	}
}

// entry is a delivery as the model knows it.
type entry struct {
	id, message, endpoint string
	serial                int // order of storing
	state, from           retry.State
	due, expires, until   time.Time
	life                  time.Duration
	attempts, base        int
	reason                string
	lease                 *retry.Lease // the latest, nil once settled
}

// now is the state with leases that ran out given back.
func (e *entry) now(t time.Time) retry.State {
	if e.state == retry.Leased && !t.Before(e.until) {
		return e.from
	}
	return e.state
}

type player struct {
	*harness
	r      *rand.Rand
	all    map[string]*entry
	held   []heldLease
	paused map[string]time.Time // zero: until resumed
	sizes  map[string]int64     // of messages
	serial int
	log    []string
}

type heldLease struct {
	lease *retry.Lease
	entry *entry
}

func (p *player) note(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

func (p *player) wrong(format string, args ...any) {
	p.Helper()
	p.Fatalf("%s\nlast steps:\n  %s", fmt.Sprintf(format, args...), strings.Join(p.log[max(0, len(p.log)-30):], "\n  "))
}

func (p *player) step() {
	ops := []func(){p.put, p.put, p.put, p.leaseDue, p.leaseDue, p.leaseOne, p.settle, p.settle, p.settle, p.settle, p.extendOne,
		p.wait, p.wait, p.leaseExpired, p.pauseOne, p.resumeOne, p.replaySome, p.deleteSome, p.compare}
	ops[p.r.IntN(len(ops))]()
}

func (p *player) endpoint() string { return []string{"a", "b", "c", "d"}[p.r.IntN(4)] }

// sorted lists the model's deliveries as the queue does.
func (p *player) sorted(keep func(*entry) bool) []*entry {
	var out []*entry
	for _, e := range p.all {
		if keep(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.serial - b.serial })
	return out
}

func (p *player) anyID() string {
	all := p.sorted(func(*entry) bool { return true })
	if len(all) == 0 || p.r.IntN(10) == 0 {
		return fmt.Sprint("new", p.r.IntN(1000))
	}
	return all[p.r.IntN(len(all))].id
}

func (p *player) wait() {
	d := time.Duration(p.r.IntN(90)) * time.Second
	p.note("wait %v", d)
	p.c.Advance(d)
}

// compare holds every delivery and the account against the model.
func (p *player) compare() {
	p.note("compare")
	list, _, err := p.q.List(p.ctx(), retry.Filter{}, retry.Page{Size: 10000})
	p.ok(err)
	if len(list) != len(p.all) {
		p.wrong("the queue has %d deliveries, the model %d", len(list), len(p.all))
	}
	messages := map[string]bool{}
	for _, i := range list {
		e := p.all[i.ID]
		if e == nil || i.State != e.now(p.c.Now()) || i.Endpoint != e.endpoint || i.MessageID != e.message || i.Attempts != e.attempts ||
			!i.DueAt.Equal(e.due) || !i.Expires.Equal(e.expires) || i.Reason != e.reason {
			p.wrong("the queue has %+v, the model %+v", i, e)
		}
		messages[i.MessageID] = true
	}
	var bytes int64
	for m := range messages {
		bytes += p.sizes[m]
	}
	s, err := p.q.Stats(p.ctx())
	p.ok(err)
	if s.Messages != int64(len(messages)) || s.Bytes != bytes {
		p.wrong("the account says %d messages and %d bytes, the model %d and %d", s.Messages, s.Bytes, len(messages), bytes)
	}
	_, _, err = p.q.Get(p.ctx(), "none")
	if !errors.Is(err, retry.ErrNotFound) {
		p.wrong("Get of nothing: %v", err)
	}
}
