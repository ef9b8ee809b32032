package page

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"postern/gateway/history"
	"postern/webhook"
)

const (
	minutes    = 60               // that the charts show
	eventEvery = time.Second      // between two events of a stream, at least
	aliveEvery = 20 * time.Second // a comment, so that proxies keep the stream
	maxStreams = 32
)

// Minute is what happened in one minute.
type Minute struct {
	Accepted, Refused int // transactions; Refused: 4xx, 5xx and failed AUTH
	Delivered, Failed int // attempts
	took              [samples]int32
	n                 int
}

// samples of a minute's times are kept for its latency.
const samples = 64

// Latency is about the share's (0.5, 0.95) time from the last octet to the
// answer, in ms; 0 where there was no message.
func (m *Minute) Latency(share float64) int {
	n := min(m.n, samples)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(m.took[:n]))
	return int(sorted[min(int(float64(n)*share), n-1)])
}

// Live counts what happens by the minute, and wakes the views that are open.
// Its methods return at once; a nil *Live hears nothing.
type Live struct {
	now func() time.Time

	mu      sync.Mutex
	last    int64 // the minute of ring[last % minutes]
	ring    [minutes]Minute
	ends    map[string]*[minutes]tally // by endpoint, of the same minutes
	streams map[chan struct{}]bool
}

// NewLive returns a Live that has heard nothing.
func NewLive(now func() time.Time) *Live {
	return &Live{now: now, last: now().Unix() / 60, ends: map[string]*[minutes]tally{}, streams: map[chan struct{}]bool{}}
}

// at is the current minute; the caller holds the lock.
func (l *Live) at() *Minute {
	now := l.now().Unix() / 60
	for steps := 0; l.last < now && steps < minutes; steps++ {
		l.last++
		l.ring[l.last%minutes] = Minute{}
		for _, e := range l.ends {
			e[l.last%minutes] = tally{}
		}
	}
	l.last = max(l.last, now)
	return &l.ring[l.last%minutes]
}

// Transaction counts the end of a transaction.
func (l *Live) Transaction(r history.Record) {
	if l == nil {
		return
	}
	l.change(func(m *Minute) {
		for i := range r.Attempts {
			l.attempt(m, &r.Attempts[i])
		}
		if r.Result != history.Accepted {
			m.Refused++
			return
		}
		m.Accepted++
		m.took[m.n%samples] = int32(min(r.TookMS, 1<<30))
		m.n++
	})
}

// Attempt counts an attempt out of the queue.
func (l *Live) Attempt(a history.Attempt) {
	if l == nil {
		return
	}
	l.change(func(m *Minute) { l.attempt(m, &a) })
}

// tally is an endpoint's part of a minute.
type tally struct{ delivered, failed int32 }

// maxEnds is how many endpoints have charts of their own.
const maxEnds = 200

// attempt counts one; the caller holds the lock.
func (l *Live) attempt(m *Minute, a *history.Attempt) {
	if a.Settles == history.SettledDead || !a.Settles.Posted() || !posted(a.Reason) {
		return // it is no attempt
	}
	e := l.ends[a.Endpoint]
	if e == nil && len(l.ends) < maxEnds {
		e = &[minutes]tally{}
		l.ends[a.Endpoint] = e
	}
	ok := a.Reason == "delivered"
	if ok {
		m.Delivered++
	} else {
		m.Failed++
	}
	switch {
	case e == nil:
	case ok:
		e[l.last%minutes].delivered++
	default:
		e[l.last%minutes].failed++
	}
}

// posted reports whether a webhook was asked: what a pause or a breaker held back
// speaks for nobody's failure.
func posted(reason string) bool {
	switch webhook.Reason(reason) {
	case history.HandedOver:
		return false
	case webhook.ReasonPaused, webhook.ReasonBreaker, webhook.ReasonNoSlot, webhook.ReasonMemory, webhook.ReasonSender, webhook.ReasonUnsure:
		return false
	}
	return true
}

// Endpoint is an endpoint's last hour, as Minutes has it.
func (l *Live) Endpoint(name string) []Minute {
	all := make([]Minute, minutes)
	if l == nil {
		return all
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at()
	if e := l.ends[name]; e != nil {
		for i := range int64(minutes) {
			t := e[(l.last+1+i)%minutes]
			all[i].Delivered, all[i].Failed = int(t.delivered), int(t.failed)
		}
	}
	return all
}

func (l *Live) change(do func(*Minute)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(l.at())
	for c := range l.streams {
		select {
		case c <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// Minutes are the last ones, oldest first; the last of them isn't over.
func (l *Live) Minutes() []Minute {
	if l == nil {
		return make([]Minute, minutes)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at()
	all := make([]Minute, 0, minutes)
	for i := range int64(minutes) {
		all = append(all, l.ring[(l.last+1+i)%minutes])
	}
	return all
}

// subscribe returns what is woken at each change, nil when too many listen.
func (l *Live) subscribe() chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) >= maxStreams {
		return nil
	}
	c := make(chan struct{}, 1)
	l.streams[c] = true
	return c
}

func (l *Live) unsubscribe(c chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, c)
}

// events tells an open view when to look again (server-sent events).
func (p *Page) events(w http.ResponseWriter, r *http.Request) error {
	changed := p.deps.Live.subscribe()
	if changed == nil {
		return problem{http.StatusServiceUnavailable, "Too many views are open; reload by hand."}
	}
	defer p.deps.Live.unsubscribe(changed)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	say := func(text string) error {
		_ = out.SetWriteDeadline(time.Now().Add(aliveEvery)) // not all writers have one
		if _, err := fmt.Fprint(w, text); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := say("retry: 5000\n\n"); err != nil {
		return nil
	}
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		text := ": alive\n\n"
		select {
		case <-r.Context().Done():
			return nil
		case <-p.ended:
			return nil
		case <-alive.C:
		case <-changed:
			text = "event: change\ndata: 1\n\n"
		}
		if say(text) != nil {
			return nil
		}
		select {
		case <-time.After(eventEvery):
		case <-p.ended:
		case <-r.Context().Done():
		}
	}
}
