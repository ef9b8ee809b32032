package smtp

import (
	"testing"
	"time"
)

// TestPatience: who waits has less time where nearly all connections are taken.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		limit, n int
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
		cfg.MaxConnections = c.limit
		srv, err := NewServer(cfg, &taker{})
		if err != nil {
			t.Fatal(err)
		}
		for range c.n {
			srv.connections.Enter()
		}
		if got := newSession(srv, &memoryConn{}, SMTP).patience(); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.n, c.limit, got, c.want)
		}
	}
}
