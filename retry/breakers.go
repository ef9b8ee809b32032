package retry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Breakers holds the breaker of every endpoint. Whoever is about to ask an
// endpoint, for fresh or for queued mail, calls Begin first and reports the
// end; it is safe for concurrent use.
type Breakers struct {
	now      func() time.Time
	onChange func(BreakerChange)

	mu      sync.Mutex
	all     map[string]*Breaker
	dirty   map[string]struct{} // changed since the last Save
	back    map[string]struct{} // endpoints that work again, for takeBack
	resumed map[string]int64    // by endpoint, how many of the operator's resumes were heeded
	stored  map[string][]byte   // what the store holds, as far as we wrote or read it
	changed chan struct{}       // a hint that a state changed
}

// BreakerChange is a change of state, for the log and the metrics.
type BreakerChange struct {
	Endpoint string
	From, To BreakerState
	Until    time.Time // of an open one: its next probe
}

// BreakerInfo is a breaker as an operator sees it.
type BreakerInfo struct {
	Endpoint string       `json:"endpoint"`
	State    BreakerState `json:"state"`
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"next_probe"`
	Failures int          `json:"failures"`
}

// NewBreakers returns closed breakers. now is nil for a SteadyClock; onChange, nil
// for none, is called for each change of state and must not call back.
func NewBreakers(now func() time.Time, onChange func(BreakerChange)) *Breakers {
	if now == nil {
		now = SteadyClock(time.Now)
	}
	if onChange == nil {
		onChange = func(BreakerChange) {}
	}
	return &Breakers{now: now, onChange: onChange, all: map[string]*Breaker{},
		dirty: map[string]struct{}{}, back: map[string]struct{}{}, resumed: map[string]int64{}, stored: map[string][]byte{}, changed: make(chan struct{}, 1)}
}

// Begin asks for leave to send to the endpoint. When allowed, done must be called
// once with what the attempt says of the endpoint: a rejection of a message comes
// from a healthy one, a time-out or a 503 doesn't. An attempt that was cut short
// says HealthUnknown; without done a half-open breaker would wait for its probe
// for ever.
func (s *Breakers) Begin(endpoint string) (done func(Health), allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.get(endpoint)
	before := b.State
	epoch, allowed := b.Begin(s.now())
	if !allowed {
		return func(Health) {}, false
	}
	s.noteChange(endpoint, before, b)
	var once sync.Once
	return func(h Health) {
		once.Do(func() { s.end(endpoint, epoch, h) })
	}, true
}

func (s *Breakers) end(endpoint string, epoch int, h Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.get(endpoint)
	before := b.State
	if b.End(s.now(), epoch, h) {
		s.back[endpoint] = struct{}{}
	}
	s.noteChange(endpoint, before, b)
	if b.State == BreakerHalfOpen {
		s.hint() // there is room for the next probe
	}
}

// Allowed says whether Begin would give leave now.
func (s *Breakers) Allowed(endpoint string) bool { return s.Room(endpoint) != 0 }

// Room is how many attempts may begin now; math.MaxInt is no bound.
func (s *Breakers) Room(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.all[endpoint]; ok {
		return b.Room(s.now())
	}
	return math.MaxInt
}

// limits lists the endpoints whose breaker isn't closed with their room, which
// of them are shut, and how long it is until the next of those may be probed.
func (s *Breakers) limits() (room map[string]int, shut map[string]bool, probe time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room, shut, probe = map[string]int{}, map[string]bool{}, math.MaxInt64
	now := s.now()
	for name, b := range s.all {
		if b.State == BreakerClosed {
			continue
		}
		room[name] = b.Room(now)
		if b.State == BreakerOpen && b.Until.After(now) {
			shut[name] = true
			probe = min(probe, b.Until.Sub(now))
		}
	}
	return room, shut, probe
}

// takeBack lists the endpoints that began to work again since it was called last.
func (s *Breakers) takeBack() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Collect(maps.Keys(s.back))
	clear(s.back)
	return names
}

// anyOpen reports whether a breaker is open, so that an operator's resume matters.
func (s *Breakers) anyOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.all {
		if b.State == BreakerOpen {
			return true
		}
	}
	return false
}

// heed takes over what others have written into the store: operators' resumes,
// and how the other replicas' breakers stand.
func (s *Breakers) heed(states []EndpointState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range states {
		s.heedResume(e)
		s.heedReplica(e)
	}
}

// heedResume lets the probe of an endpoint go that an operator resumed.
func (s *Breakers) heedResume(e EndpointState) {
	if last, known := s.resumed[e.Endpoint]; known && last == e.Resumes || !known && e.Resumes == 0 {
		return
	}
	s.resumed[e.Endpoint] = e.Resumes
	if b, ok := s.all[e.Endpoint]; ok && b.HalfOpen(s.now()) {
		s.dirty[e.Endpoint] = struct{}{}
	}
}

// heedReplica follows another replica's breaker, once for each time that it was
// written. What is followed isn't written again.
func (s *Breakers) heedReplica(e EndpointState) {
	if len(e.Breaker) == 0 || bytes.Equal(e.Breaker, s.stored[e.Endpoint]) {
		return
	}
	s.stored[e.Endpoint] = e.Breaker
	theirs, err := UnmarshalBreaker(e.Breaker)
	if _, newer := s.dirty[e.Endpoint]; err != nil || newer {
		return
	}
	b := s.get(e.Endpoint)
	before := b.State
	if !b.Follow(theirs, s.now()) {
		return
	}
	if b.State != before {
		s.onChange(BreakerChange{Endpoint: e.Endpoint, From: before, To: b.State, Until: b.Until})
	}
	s.hint()
}

// Snapshot lists the breakers that have ever failed or changed.
func (s *Breakers) Snapshot() []BreakerInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]BreakerInfo, 0, len(s.all))
	for name, b := range s.all {
		i := BreakerInfo{Endpoint: name, State: b.State, Since: b.Since, Failures: b.Failures}
		if b.State == BreakerOpen {
			i.Until = b.Until
		}
		out = append(out, i)
	}
	return out
}

// Changed is a hint that a breaker changed: Save it, and look for work again.
func (s *Breakers) Changed() <-chan struct{} { return s.changed }

// BreakerStore keeps breakers over restarts.
type BreakerStore interface {
	Endpoints(ctx context.Context) ([]EndpointState, error)
	SaveBreaker(ctx context.Context, endpoint string, state []byte) error
}

// Restore reads the breakers that the store kept.
func (s *Breakers) Restore(ctx context.Context, q BreakerStore, log *slog.Logger) error {
	states, err := q.Endpoints(ctx)
	if err != nil {
		return fmt.Errorf("restoring breakers: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range states {
		s.resumed[e.Endpoint], s.stored[e.Endpoint] = e.Resumes, e.Breaker
		if len(e.Breaker) == 0 {
			continue
		}
		b, err := UnmarshalBreaker(e.Breaker)
		if err != nil {
			log.Warn("a stored breaker can't be read and starts closed", "endpoint", e.Endpoint, "err", err)
			continue
		}
		if limit := s.now().Add(breakerMaxProbe); b.Until.After(limit) {
			b.Until = limit // the clock went back
		}
		s.all[e.Endpoint] = &b
	}
	return nil
}

// Save writes the breakers that changed since the last Save.
func (s *Breakers) Save(ctx context.Context, q BreakerStore) error {
	s.mu.Lock()
	changed := map[string][]byte{}
	for name := range s.dirty {
		changed[name] = MarshalBreaker(*s.all[name])
	}
	clear(s.dirty)
	s.mu.Unlock()
	var errs []error
	for name, data := range changed {
		err := q.SaveBreaker(ctx, name, data)
		s.mu.Lock()
		if err == nil {
			s.stored[name] = data
		} else {
			errs = append(errs, fmt.Errorf("saving the breaker of %s: %w", name, err))
			s.dirty[name] = struct{}{}
		}
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

func (s *Breakers) get(endpoint string) *Breaker {
	b, ok := s.all[endpoint]
	if !ok {
		b = &Breaker{State: BreakerClosed}
		s.all[endpoint] = b
	}
	return b
}

func (s *Breakers) noteChange(endpoint string, before BreakerState, b *Breaker) {
	if b.State == before {
		return
	}
	s.dirty[endpoint] = struct{}{}
	s.onChange(BreakerChange{Endpoint: endpoint, From: before, To: b.State, Until: b.Until})
	s.hint()
}

func (s *Breakers) hint() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
