package ops

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConnections bounds the HTTP server's connections: probes, a few scrapers,
// operators and apps that fetch content need far fewer, and each costs a file.
const maxConnections = 512

// connections keeps their number in its bound: one too many closes the one that
// has waited longest for a request, so that who only holds connections can't
// lock out the probes. While all are in the middle of a request, the newest goes.
type connections struct {
	max int
	now func() time.Time

	mu      sync.Mutex
	waiting map[net.Conn]time.Time // since when
	busy    map[net.Conn]bool
}

func newConnections(max int, now func() time.Time) *connections {
	return &connections{max: max, now: now, waiting: map[net.Conn]time.Time{}, busy: map[net.Conn]bool{}}
}

// watch is http.Server's ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, conn)
	delete(c.busy, conn)
	switch state {
	case http.StateActive:
		c.busy[conn] = true
	case http.StateIdle:
		c.waiting[conn] = c.now()
	case http.StateNew:
		c.waiting[conn] = c.now()
		if len(c.waiting)+len(c.busy) > c.max {
			c.closeOldest()
		}
	}
}

// closeOldest closes the connection that has waited longest; the server then
// reports it closed.
func (c *connections) closeOldest() {
	var oldest net.Conn
	for conn, since := range c.waiting {
		if oldest == nil || since.Before(c.waiting[oldest]) {
			oldest = conn
		}
	}
	delete(c.waiting, oldest)
	oldest.Close()
}
