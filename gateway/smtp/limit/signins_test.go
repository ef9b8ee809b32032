package limit

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

var here, there = netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")

// TestFailures: a network is barred from the failure that is one too many until
// its window ends, another one and a unix socket never.
func TestFailures(t *testing.T) {
	g, now := NewSignIns(), time.Unix(1_000_000, 0)
	for i := range maxFailures {
		if g.Barred(here, now) {
			t.Fatalf("barred after %d failures", i)
		}
		g.Failed(here, now)
		g.Failed(netip.Prefix{}, now)
	}
	last := now.Add(failureWindow - time.Nanosecond)
	for _, c := range []struct {
		from netip.Prefix
		at   time.Time
		want bool
	}{
		{here, now, true}, {here, last, true}, {here, now.Add(failureWindow), false},
		{there, now, false}, {netip.Prefix{}, now, false},
	} {
		if got := g.Barred(c.from, c.at); got != c.want {
			t.Errorf("%v at %v: %t", c.from, c.at, got)
		}
	}
	g.Failed(here, now.Add(failureWindow))
	if g.Barred(here, now.Add(failureWindow)) {
		t.Error("barred after one failure of a new window")
	}
}

// TestFailuresAreBounded: so many networks are remembered and no more, and those
// whose windows are over go first.
func TestFailuresAreBounded(t *testing.T) {
	g, now := NewSignIns(), time.Unix(1_000_000, 0)
	network := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), signInBits4)
	}
	for i := range failureNetworks {
		at := now
		if i == 7 {
			at = now.Add(time.Minute)
		}
		for range maxFailures {
			g.Failed(network(i), at)
		}
	}
	g.Failed(here, now.Add(failureWindow))
	if len(g.failures) != 2 || !g.Barred(network(7), now.Add(failureWindow)) {
		t.Errorf("%d networks remembered, want the one whose window goes on and the new one", len(g.failures))
	}
	for i := range failureNetworks + 100 {
		g.Failed(network(i), now.Add(failureWindow))
	}
	if len(g.failures) != failureNetworks {
		t.Errorf("%d networks remembered, want %d", len(g.failures), failureNetworks)
	}
}

// TestLine: a network has few places in the line, all together have more, and a
// place is given back, also by who doesn't wait any longer.
func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewSignIns()
		release := make(chan struct{})
		wait := func() error { <-release; return nil }
		results := make(chan error, lineLength*cap(g.slots))
		ctx, cancel := context.WithCancelCause(t.Context())
		enter := func(from netip.Prefix) { go func() { results <- g.Check(ctx, from, wait) }() }
		for range lineOfOne {
			enter(here)
		}
		synctest.Wait()
		if err := g.Check(ctx, here, wait); !errors.Is(err, ErrLine) {
			t.Errorf("one too many of a network: %v", err)
		}
		for range lineLength*cap(g.slots) - lineOfOne {
			enter(netip.Prefix{}) // nobody's network has no places of its own
		}
		synctest.Wait()
		if err := g.Check(ctx, there, wait); !errors.Is(err, ErrLine) {
			t.Errorf("one too many of all: %v", err)
		}
		gone := errors.New("the server is gone")
		cancel(gone)
		synctest.Wait()
		for range lineLength*cap(g.slots) - cap(g.slots) {
			if err := <-results; !errors.Is(err, gone) {
				t.Errorf("who waits when the server ends: %v", err)
			}
		}
		close(release)
		for range cap(g.slots) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if g.waiting != 0 || len(g.inLine) != 0 || len(g.slots) != 0 {
			t.Errorf("left behind: %d waiting, %v, %d slots", g.waiting, g.inLine, len(g.slots))
		}
	})
}

func TestSignInNetwork(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.7": "192.0.2.0/24", "2001:db8:1:2::99": "2001:db8:1:2::/64"} {
		if got := SignInNetwork(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if p := SignInNetwork(netip.Addr{}); p.IsValid() {
		t.Errorf("no address: %s", p)
	}
}
