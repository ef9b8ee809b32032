package smtp

import (
	"net/netip"
	"testing"
	"time"
)

// TestPatience: who waits has less time where nearly all connections are taken.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		limit, n int64
		want     time.Duration
	}{
		{0, 1_000_000, 5 * time.Minute},
		{1, 1, 5 * time.Minute},
		{8, 7, 5 * time.Minute},
		{8, 8, 30 * time.Second},
		{1000, 875, 5 * time.Minute},
		{1000, 876, 30 * time.Second},
	} {
		cfg := DefaultConfig("mx.here.example")
		cfg.MaxConnections = int(c.limit)
		srv, err := NewServer(cfg, &taker{})
		if err != nil {
			t.Fatal(err)
		}
		srv.connections.n.Store(c.n)
		if got := newSession(srv, &memoryConn{}, SMTP).patience(); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.n, c.limit, got, c.want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":        "192.0.2.7/32",
		"2001:db8:1:2::99": "2001:db8:1:2::/64",
	} {
		if got := network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if p := network(netip.Addr{}); p.IsValid() {
		t.Errorf("no address: %s", p)
	}
}
