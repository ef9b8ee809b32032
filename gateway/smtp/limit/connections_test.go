package limit

import (
	"net/netip"
	"testing"
)

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7":        "192.0.2.7/32",
		"2001:db8:1:2::99": "2001:db8:1:2::/64",
	} {
		if got := Network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if p := Network(netip.Addr{}); p.IsValid() {
		t.Errorf("no address: %s", p)
	}
}

// TestConnections: bounds in all and of one network; who leaves makes room.
func TestConnections(t *testing.T) {
	c := Connections{Total: 2, PerClient: 1}
	a, b := Network(netip.MustParseAddr("192.0.2.7")), Network(netip.MustParseAddr("192.0.2.8"))
	for i, want := range []bool{true, true, false, false} {
		if got := c.Enter(); got != want {
			t.Errorf("connection %d: %t", i, got)
		}
	}
	c.Leave()
	if !c.Enter() {
		t.Error("no room where one has left")
	}
	if !c.EnterClient(a) || c.EnterClient(a) || !c.EnterClient(b) || !c.EnterClient(netip.Prefix{}) || !c.EnterClient(netip.Prefix{}) {
		t.Error("one of each network, a unix socket not counted")
	}
	c.LeaveClient(netip.Prefix{})
	if c.LeaveClient(a); !c.EnterClient(a) || len(c.clients) != 2 {
		t.Errorf("no room where one has left: %v", c.clients)
	}
}
