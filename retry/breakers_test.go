package retry

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"
)

// board is a store of breakers that replicas share.
type board struct {
	states map[string]*EndpointState
	writes int
}

func (b *board) Endpoints(context.Context) (out []EndpointState, _ error) {
	for _, s := range b.states {
		out = append(out, *s)
	}
	return out, nil
}

func (b *board) SaveBreaker(_ context.Context, endpoint string, state []byte) error {
	b.writes++
	b.states[endpoint] = &EndpointState{Endpoint: endpoint, Breaker: state}
	return nil
}

// TestReplicasShareBreakers has one of two replicas find out that an endpoint is
// down, and then that it is back.
func TestReplicasShareBreakers(t *testing.T) {
	now, store := start, &board{states: map[string]*EndpointState{}}
	clock := func() time.Time { return now }
	a, b := NewBreakers(clock, nil), NewBreakers(clock, nil)
	sync := func() {
		for _, s := range []*Breakers{a, b, a} {
			states, _ := store.Endpoints(t.Context())
			s.heed(states)
			if err := s.Save(t.Context(), store); err != nil {
				t.Fatal(err)
			}
		}
	}
	attempt := func(s *Breakers, h Health) bool {
		done, ok := s.Begin("e")
		done(h)
		return ok
	}
	for range 5 {
		attempt(a, Unhealthy)
	}
	sync()
	if b.Allowed("e") {
		t.Fatal("the other replica goes on asking")
	}
	if sync(); store.writes != 1 {
		t.Errorf("%d writes, want one: what is followed isn't written again", store.writes)
	}
	late := NewBreakers(clock, nil)
	if err := late.Restore(t.Context(), store, slog.New(slog.DiscardHandler)); err != nil || late.Allowed("e") {
		t.Errorf("one that starts now asks: %v", err)
	}
	now = now.Add(10 * time.Second)
	attempt(a, Unhealthy)
	sync()
	now = now.Add(11 * time.Second) // the first wait is over, the second isn't
	if b.Allowed("e") {
		t.Error("the other replica didn't hear of the failed probe")
	}
	now = now.Add(9 * time.Second)
	for range 2 * breakerSlowStart {
		attempt(a, Healthy)
	}
	sync()
	if got := a.Room("e"); got != math.MaxInt {
		t.Fatalf("it isn't closed: room %d", got)
	}
	if !attempt(b, Healthy) {
		t.Error("the other replica's probe doesn't go")
	}
}

// TestFollowingIsTold: a breaker that opens with another replica's is told as a
// change, one that only waits longer isn't; either way there is work to look at. What
// can't be read, or was followed before, changes nothing.
func TestFollowingIsTold(t *testing.T) {
	var told []BreakerChange
	s := NewBreakers(func() time.Time { return start }, func(c BreakerChange) { told = append(told, c) })
	soon, late := start.Add(10*time.Second), start.Add(20*time.Second)
	open := func(until time.Time) []byte { return MarshalBreaker(Breaker{State: BreakerOpen, Until: until}) }
	for i, c := range []struct {
		breaker []byte
		told    int
		hint    bool
		until   time.Time
	}{
		{nil, 0, false, time.Time{}},
		{[]byte("{"), 0, false, time.Time{}},
		{open(soon), 1, true, soon},
		{open(soon), 1, false, soon},
		{open(late), 1, true, late},
		{open(soon), 1, false, late},
		{MarshalBreaker(Breaker{State: BreakerClosed}), 1, true, start},
	} {
		s.heed([]EndpointState{{Endpoint: "e", Breaker: c.breaker}})
		hint := false
		select {
		case <-s.Changed():
			hint = true
		default:
		}
		if len(told) != c.told || hint != c.hint {
			t.Errorf("step %d: told %+v, a hint: %v", i, told, hint)
		}
		for _, b := range s.Snapshot() {
			if !b.Until.Equal(c.until) {
				t.Errorf("step %d: until %v, want %v", i, b.Until, c.until)
			}
		}
	}
	if want := (BreakerChange{Endpoint: "e", From: BreakerClosed, To: BreakerOpen, Until: soon}); told[0] != want {
		t.Errorf("told %+v, want %+v", told[0], want)
	}
}

// TestLimits: which endpoints may be asked how often, which not at all, and until
// when.
func TestLimits(t *testing.T) {
	now := start
	s := NewBreakers(func() time.Time { return now }, nil)
	for _, name := range []string{"down", "fine"} {
		for range 5 {
			done, _ := s.Begin(name)
			done(map[string]Health{"down": Unhealthy, "fine": Healthy}[name])
		}
	}
	room, shut, probe := s.limits()
	if len(room) != 1 || room["down"] != 0 || len(shut) != 1 || !shut["down"] || probe != breakerFirstProbe {
		t.Errorf("open: room %v, shut %v, probe in %v", room, shut, probe)
	}
	now = now.Add(breakerFirstProbe)
	if room, shut, _ = s.limits(); room["down"] != 1 || len(shut) != 0 {
		t.Errorf("at its probe: room %v, shut %v", room, shut)
	}
	s.Begin("down")
	if room, shut, _ = s.limits(); room["down"] != 0 || len(shut) != 0 {
		t.Errorf("half-open, its probe under way: room %v, shut %v", room, shut)
	}
}

// TestOwnIsNewer: what this replica has found out and not saved yet isn't replaced
// by what another saved before.
func TestOwnIsNewer(t *testing.T) {
	s := NewBreakers(func() time.Time { return start }, nil)
	for range 5 {
		done, _ := s.Begin("e")
		done(Unhealthy)
	}
	s.heed([]EndpointState{{Endpoint: "e", Breaker: MarshalBreaker(Breaker{State: BreakerClosed})}})
	if s.Allowed("e") {
		t.Error("an older account of another's lets the probe go")
	}
}
