package smtp

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// connectionCounter counts the connections, in all and by client network.
type connectionCounter struct {
	total     int64 // limits, 0: none
	perClient int

	n       atomic.Int64
	mu      sync.Mutex
	clients map[netip.Prefix]int
}

// enter counts a connection, or says that there are enough.
func (c *connectionCounter) enter() bool {
	if n := c.n.Add(1); c.total > 0 && n > c.total {
		c.n.Add(-1)
		return false
	}
	return true
}

func (c *connectionCounter) leave() { c.n.Add(-1) }

// crowded reports whether more than 7 of 8 connections are in use.
func (c *connectionCounter) crowded() bool { return c.total > 0 && c.n.Load() > c.total-c.total/8 }

// enterClient counts a connection of a client network, or says that it has enough.
func (c *connectionCounter) enterClient(p netip.Prefix) bool {
	if c.perClient == 0 || !p.IsValid() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil {
		c.clients = map[netip.Prefix]int{}
	}
	if c.clients[p] >= c.perClient {
		return false
	}
	c.clients[p]++
	return true
}

func (c *connectionCounter) leaveClient(p netip.Prefix) {
	if c.perClient == 0 || !p.IsValid() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[p]--; c.clients[p] <= 0 {
		delete(c.clients, p)
	}
}

// network is what a client is counted by: its /32, or the /64 that one
// customer has of IPv6. Invalid for a unix socket.
func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits)
	return p
}
