package queuetest

import (
	"fmt"
	"slices"
	"time"

	"postern/retry"
)

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
		if p.r.IntN(4) == 0 {
			d.Life = time.Duration(1+p.r.IntN(100)) * time.Minute
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
	expires := p.c.Now().Add(m.Life)
	if d.Life > 0 && d.Life < m.Life {
		expires = p.c.Now().Add(d.Life)
	}
	e, known := p.all[d.ID]
	switch {
	case known && (e.now(p.c.Now()) != retry.Dead || d.Dead != ""):
		return false
	case known: // back to life, at its endpoint
		e.base = e.attempts
		e.attempts += tries
		e.message, e.state, e.due, e.expires, e.life, e.reason, e.lease = m.ID, retry.Due, p.c.Now().Add(d.Wait), expires, m.Life, "", nil
		return true
	}
	p.serial++
	e = &entry{id: d.ID, message: m.ID, endpoint: d.Endpoint, serial: p.serial, state: retry.Due, due: p.c.Now().Add(d.Wait), expires: expires,
		life: m.Life, attempts: tries}
	if d.Dead != "" {
		e.state, e.reason = retry.Dead, d.Dead
	}
	p.all[d.ID] = e
	return true
}
