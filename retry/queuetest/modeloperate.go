package queuetest

import (
	"slices"
	"time"

	"postern/retry"
)

func (p *player) isPaused(endpoint string) bool {
	until, ok := p.paused[endpoint]
	return ok && (until.IsZero() || p.c.Now().Before(until))
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
