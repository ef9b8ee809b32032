// Package limit counts what clients take of a server, in all and by the network
// they come from, and says when it is enough: connections at once, password
// checks at once, failed sign-ins of late. What it says is about now; nothing is
// kept over a restart, and a client without a network (a unix socket) is held
// to the bounds in all alone.
package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Connections counts the connections, in all and by client network.
type Connections struct {
	Total     int // at once, 0: no limit
	PerClient int // of one client network, 0: no limit

	n       atomic.Int64
	mu      sync.Mutex
	clients map[netip.Prefix]int
}

// Enter counts a connection, or says that there are enough.
func (c *Connections) Enter() bool {
	if n := c.n.Add(1); c.Total > 0 && n > int64(c.Total) {
		c.n.Add(-1)
		return false
	}
	return true
}

// Leave ends what Enter counted.
func (c *Connections) Leave() { c.n.Add(-1) }

// Crowded reports whether more than 7 of 8 connections are in use.
func (c *Connections) Crowded() bool { return c.Total > 0 && c.n.Load() > int64(c.Total-c.Total/8) }

// EnterClient counts a connection of a client network, or says that it has enough.
func (c *Connections) EnterClient(p netip.Prefix) bool {
	if c.PerClient == 0 || !p.IsValid() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil {
		c.clients = map[netip.Prefix]int{}
	}
	if c.clients[p] >= c.PerClient {
		return false
	}
	c.clients[p]++
	return true
}

// LeaveClient ends what EnterClient counted.
func (c *Connections) LeaveClient(p netip.Prefix) {
	if c.PerClient == 0 || !p.IsValid() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[p]--; c.clients[p] <= 0 {
		delete(c.clients, p)
	}
}

// Network is what a client's connections are counted by: its /32, or the /64 that one
// customer has of IPv6. Invalid for a unix socket.
func Network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits)
	return p
}
