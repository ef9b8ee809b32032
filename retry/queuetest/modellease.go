package queuetest

import (
	"slices"
	"time"

	"postern/retry"
)

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
