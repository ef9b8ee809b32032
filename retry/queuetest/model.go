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

// put enqueues a message with new, open and dead ids.
func (p *player) put() {
	p.serial++
	size := p.r.IntN(3000)
	if p.r.IntN(8) == 0 { // too large for the database itself
		size += 64 << 10
	}
	m := p.message(fmt.Sprint("m", p.serial), size)
	m.Life = time.Duration(1+p.r.IntN(100)) * time.Minute
	var ds []retry.NewDelivery
	want := retry.Result{}
	for range 1 + p.r.IntN(3) {
		d := p.delivery(fmt.Sprint("new", p.r.IntN(1000)), p.endpoint())
		if p.r.IntN(4) == 0 {
			d.ID = p.anyID()
		}
		if slices.ContainsFunc(ds, func(o retry.NewDelivery) bool { return o.ID == d.ID }) {
			continue
		}
		d.Wait = time.Duration(p.r.IntN(120)) * time.Second
		if p.r.IntN(5) == 0 {
			d.Dead = "rejected"
		}
		if p.r.IntN(3) == 0 {
			a := p.attempt(503)
			d.First = &a
		}
		ds = append(ds, d)
	}
	for _, d := range ds {
		if p.modelPut(m, d) {
			want.Stored++
		} else {
			want.Duplicates++
		}
	}
	if want.Stored > 0 {
		p.sizes[m.ID] = m.Body.Size
	}
	got, err := p.q.Enqueue(p.ctx(), m, ds)
	p.note("put %s %v -> %+v %v", m.ID, deliveryIDs(ds), got, err)
	p.ok(err)
	if got != want {
		p.wrong("Enqueue = %+v, want %+v", got, want)
	}
}

func deliveryIDs(ds []retry.NewDelivery) (out []string) {
	for _, d := range ds {
		out = append(out, d.ID)
	}
	return out
}

func (p *player) modelPut(m retry.Message, d retry.NewDelivery) bool {
	tries := 0
	if d.First != nil {
		tries = 1
	}
	e, known := p.all[d.ID]
	switch {
	case known && (e.now(p.c.Now()) != retry.Dead || d.Dead != ""):
		return false
	case known: // back to life, at its endpoint
		e.base = e.attempts
		e.attempts += tries
		e.message, e.state, e.due, e.expires, e.life, e.reason, e.lease = m.ID, retry.Due, p.c.Now().Add(d.Wait), p.c.Now().Add(m.Life), m.Life, "", nil
		return true
	}
	p.serial++
	e = &entry{id: d.ID, message: m.ID, endpoint: d.Endpoint, serial: p.serial, state: retry.Due, due: p.c.Now().Add(d.Wait), expires: p.c.Now().Add(m.Life),
		life: m.Life, attempts: tries}
	if d.Dead != "" {
		e.state, e.reason = retry.Dead, d.Dead
	}
	p.all[d.ID] = e
	return true
}

func (p *player) isPaused(endpoint string) bool {
	until, ok := p.paused[endpoint]
	return ok && (until.IsZero() || p.c.Now().Before(until))
}

// leaseDue leases within random room and checks which, how many, and that the
// oldest due of each endpoint came first.
func (p *player) leaseDue() {
	limit, room := 1+p.r.IntN(8), map[string]int{}
	for _, e := range []string{"a", "b", "c", "d"} {
		room[e] = p.r.IntN(4)
	}
	now := p.c.Now()
	waiting := map[string][]time.Time{}
	for _, e := range p.all {
		if e.now(now) == retry.Due && !e.due.After(now) && !p.isPaused(e.endpoint) {
			waiting[e.endpoint] = append(waiting[e.endpoint], e.due)
		}
	}
	want := 0
	for e, due := range waiting {
		want += min(room[e], len(due))
	}
	ls, err := p.q.Lease(p.ctx(), retry.LeaseRequest{Max: limit, TTL: time.Minute, Room: func(e string) int { return room[e] }})
	p.note("lease %d of %v -> %v %v", limit, room, ids(ls), err)
	p.ok(err)
	if len(ls) != min(want, limit) {
		p.wrong("leased %d, want %d", len(ls), min(want, limit))
	}
	got := map[string][]time.Time{}
	for i := range ls {
		e := p.take(&ls[i], retry.Due)
		if e.due.After(now) || p.isPaused(e.endpoint) {
			p.wrong("leased %s, which isn't due or is paused", e.id)
		}
		got[e.endpoint] = append(got[e.endpoint], e.due)
	}
	for name, due := range got {
		slices.SortFunc(waiting[name], time.Time.Compare)
		slices.SortFunc(due, time.Time.Compare)
		if len(due) > room[name] || !slices.EqualFunc(due, waiting[name][:len(due)], time.Time.Equal) {
			p.wrong("of %s leased %v, waiting were %v, room %d", name, due, waiting[name], room[name])
		}
	}
}

// take notes a lease that the queue gave.
func (p *player) take(l *retry.Lease, from ...retry.State) *entry {
	p.Helper()
	e := p.all[l.ID]
	if e == nil || !slices.Contains(from, e.now(p.c.Now())) {
		p.wrong("leased %s, which the model has as %+v", l.ID, e)
	}
	if l.Damaged || l.Endpoint != e.endpoint || l.MessageID != e.message || l.Attempts != e.attempts || l.Tries != e.attempts-e.base {
		p.wrong("the lease %+v differs from the model's %+v", l, e)
	}
	if got := p.read(l.Body); string(got) != string(content(e.message, int(p.sizes[e.message]))) {
		p.wrong("%s has another message's body", l.ID)
	}
	e.from, e.state, e.until, e.lease = e.now(p.c.Now()), retry.Leased, p.c.Now().Add(time.Minute), l
	p.held = append(p.held, heldLease{l, e})
	return e
}

func (p *player) leaseOne() {
	id := p.anyID()
	l, err := p.q.LeaseID(p.ctx(), id, time.Minute)
	p.note("lease %s -> %v", id, err)
	e := p.all[id]
	switch {
	case e == nil:
		p.want(err, retry.ErrNotFound)
	case e.now(p.c.Now()) == retry.Leased:
		p.want(err, retry.ErrLeaseLost)
	default:
		p.ok(err)
		p.take(&l, retry.Due, retry.Dead)
	}
}

func (p *player) leaseExpired() {
	now := p.c.Now()
	held := p.endpoint()
	want := len(p.sorted(func(e *entry) bool {
		return e.now(now) == retry.Due && !now.Before(e.expires) && (e.endpoint == held || p.isPaused(e.endpoint))
	}))
	ls, err := p.q.Lease(p.ctx(), retry.LeaseRequest{Max: 3, TTL: time.Minute, Expired: true, Held: func(e string) bool { return e == held }})
	p.note("lease expired -> %v %v", ids(ls), err)
	p.ok(err)
	if len(ls) != min(want, 3) {
		p.wrong("leased %d expired, want %d", len(ls), min(want, 3))
	}
	for i := range ls {
		if e := p.take(&ls[i], retry.Due); now.Before(e.expires) {
			p.wrong("%s isn't expired", e.id)
		}
	}
}

// settle ends a lease that was given at some time, stale ones included.
func (p *player) settle() {
	if len(p.held) == 0 {
		return
	}
	h := p.held[p.r.IntN(len(p.held))]
	e, l := h.entry, *h.lease
	valid := p.all[e.id] == e && e.lease == h.lease
	a := p.attempt(503)
	wait := time.Duration(p.r.IntN(100)) * time.Second
	var err error
	kind := p.r.IntN(6)
	switch kind {
	case 0:
		err = p.q.Ack(p.ctx(), l, a)
	case 1:
		err = p.q.Retry(p.ctx(), l, wait, a)
	case 2:
		err = p.q.Dead(p.ctx(), l, "given_up", a)
	case 3:
		err = p.q.Release(p.ctx(), l, a)
	case 4:
		p.splitInto(e, l, valid, a)
		return
	default:
		err = p.q.Release(p.ctx(), l, retry.Attempt{})
	}
	p.note("settle %s by %d, valid %v -> %v", e.id, kind, valid, err)
	if !valid {
		p.want(err, retry.ErrLeaseLost)
		return
	}
	p.ok(err)
	e.lease = nil
	if kind < 4 {
		e.attempts++
	}
	switch kind {
	case 0:
		delete(p.all, e.id)
	case 1:
		e.state, e.due = retry.Due, p.c.Now().Add(wait)
	case 2:
		e.state, e.reason = retry.Dead, "given_up"
	default:
		e.state = e.from
	}
}

// splitInto puts up to two new deliveries in a leased one's place.
func (p *player) splitInto(e *entry, l retry.Lease, valid bool, a retry.Attempt) {
	var parts []retry.NewDelivery
	for range p.r.IntN(3) {
		p.serial++
		d := retry.NewDelivery{ID: fmt.Sprint("part", p.serial), Endpoint: e.endpoint, Recipients: []string{"x@in.example"}, Wait: time.Minute, First: &a}
		if p.r.IntN(2) == 0 {
			d.Dead = "rejected"
		}
		parts = append(parts, d)
	}
	err := p.q.Split(p.ctx(), l, parts)
	p.note("split %s into %v, valid %v -> %v", e.id, deliveryIDs(parts), valid, err)
	if !valid {
		p.want(err, retry.ErrLeaseLost)
		return
	}
	p.ok(err)
	delete(p.all, e.id)
	for _, d := range parts {
		p.serial++
		n := *e
		n.id, n.serial, n.state, n.due, n.attempts, n.reason, n.lease = d.ID, p.serial, retry.Due, p.c.Now().Add(d.Wait), e.attempts+1, d.Dead, nil
		if d.Dead != "" {
			n.state = retry.Dead
		}
		p.all[d.ID] = &n
	}
}

func (p *player) extendOne() {
	if len(p.held) == 0 {
		return
	}
	h := p.held[p.r.IntN(len(p.held))]
	err := p.q.Extend(p.ctx(), *h.lease, 2*time.Minute)
	p.note("extend %s -> %v", h.entry.id, err)
	if p.all[h.entry.id] != h.entry || h.entry.lease != h.lease {
		p.want(err, retry.ErrLeaseLost)
		return
	}
	p.ok(err)
	h.entry.state, h.entry.until = retry.Leased, p.c.Now().Add(2*time.Minute)
}

func (p *player) wait() {
	d := time.Duration(p.r.IntN(90)) * time.Second
	p.note("wait %v", d)
	p.c.Advance(d)
}

func (p *player) pauseOne() {
	name, d, until := p.endpoint(), time.Duration(0), time.Time{}
	if p.r.IntN(2) == 0 {
		d = time.Minute
		until = p.c.Now().Add(d)
	}
	p.note("pause %s for %v", name, d)
	p.ok(p.q.Pause(p.ctx(), name, d, "test"))
	p.paused[name] = until
}

func (p *player) resumeOne() {
	name := p.endpoint()
	p.note("resume %s", name)
	p.ok(p.q.Resume(p.ctx(), name))
	delete(p.paused, name)
}

func (p *player) replaySome() {
	f, to := retry.Filter{Endpoint: p.endpoint()}, ""
	if p.r.IntN(3) == 0 {
		to = p.endpoint()
	}
	now := p.c.Now()
	n, err := p.q.Replay(p.ctx(), f, to, 0)
	p.note("replay %s to %q -> %d %v", f.Endpoint, to, n, err)
	p.ok(err)
	dead := p.sorted(func(e *entry) bool { return e.endpoint == f.Endpoint && e.now(now) == retry.Dead })
	if n != len(dead) {
		p.wrong("replayed %d, want %d", n, len(dead))
	}
	for _, e := range dead {
		e.state, e.due, e.expires, e.base, e.reason, e.lease = retry.Due, now, now.Add(e.life), e.attempts, "", nil
		if to != "" {
			e.endpoint = to
		}
	}
}

func (p *player) deleteSome() {
	f := retry.Filter{IDs: []string{p.anyID(), p.anyID()}}
	now := p.c.Now()
	n, err := p.q.Delete(p.ctx(), f)
	p.note("delete %v -> %d %v", f.IDs, n, err)
	p.ok(err)
	gone := p.sorted(func(e *entry) bool { return slices.Contains(f.IDs, e.id) && e.now(now) != retry.Leased })
	if n != len(gone) {
		p.wrong("deleted %d, want %d", n, len(gone))
	}
	for _, e := range gone {
		delete(p.all, e.id)
	}
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
