package queuetest

import (
	"fmt"
	"time"

	"postern/retry"
)

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
