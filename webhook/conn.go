package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// dial connects so that an answer survives the end of the upload.
func dial(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c}, nil
	}
}

// conn is a connection whose writes don't fail once the peer has closed it. A
// webhook may answer 413 before it has read the body and close; net/http would
// report the broken write and drop the answer that waits to be read. What is
// really broken shows at the next read.
type conn struct {
	net.Conn
	closed atomic.Bool // octets were dropped: the peer doesn't have all of them
}

// ours is the connection below TLS, nil where there is none of ours.
func ours(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	o, _ := c.(*conn)
	return o
}

// Write implements io.Writer.
func (c *conn) Write(p []byte) (int, error) {
	if c.closed.Load() {
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		c.closed.Store(true)
		return len(p), nil
	}
	return n, err
}
