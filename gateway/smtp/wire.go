package smtp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"postern/gateway/smtp/reply"
	"runtime"
	"sync"
)

// Buffer sizes: what a command line takes, what data take.
const (
	smallBuffer = 1 << 10
	largeBuffer = 64 << 10
	runBuffer   = 8 << 10 // short runs of a message are gathered up to this many octets
	flushAt     = 4 << 10 // replies are written at the latest when they are this many octets
	maxOverrun  = 1 << 20 // octets of an over-long line that are read and dropped before we hang up
	maxLinger   = 1 << 20 // octets read and dropped after our last word, so that it isn't lost to a reset
)

// Errors of the line reader that a session decides on.
var (
	errLineTooLong = errors.New("smtp: line too long")   // the line was dropped, the session is in step
	errLineFlood   = errors.New("smtp: line never ends") // no longer in step
)

// buffers are the pools that the sessions of a server share.
type buffers struct {
	small, large, run, out sync.Pool
}

func newBuffers() *buffers {
	return &buffers{
		small: sync.Pool{New: func() any { return new([smallBuffer]byte) }},
		large: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
		run:   sync.Pool{New: func() any { return new([runBuffer]byte) }},
		out:   sync.Pool{New: func() any { b := make([]byte, 0, flushAt); return &b }},
	}
}

// wire is a connection's two directions. in[r:w] is read and not consumed.
// Buffers are taken from pools and given back when they are empty.
type wire struct {
	conn net.Conn
	pool *buffers
	in   []byte
	r, w int
	out  *[]byte // replies not written yet, nil without
}

// buffered is what was read and not consumed.
func (c *wire) buffered() []byte { return c.in[c.r:c.w] }

// room sees to it that the buffer has room behind w, growing it to the large
// one where it is full.
func (c *wire) room() {
	switch {
	case c.in == nil:
		c.in = c.pool.small.Get().(*[smallBuffer]byte)[:]
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.in) && len(c.in) < largeBuffer {
		c.enlarge()
	}
}

// enlarge moves to the large buffer: for long lines and for data.
func (c *wire) enlarge() {
	if len(c.in) == largeBuffer {
		return
	}
	large := c.pool.large.Get().(*[largeBuffer]byte)[:]
	n := copy(large, c.buffered())
	c.release()
	c.in, c.r, c.w = large, 0, n
}

// release gives the input buffer back.
func (c *wire) release() {
	switch len(c.in) {
	case smallBuffer:
		c.pool.small.Put((*[smallBuffer]byte)(c.in))
	case largeBuffer:
		c.pool.large.Put((*[largeBuffer]byte)(c.in))
	}
	c.in, c.r, c.w = nil, 0, 0
}

// fill reads once from the connection. io.ErrNoProgress never comes of it:
// a full buffer is the caller's to empty.
func (c *wire) fill() error {
	c.room()
	n, err := c.conn.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		runtime.Gosched() // a client that never makes us wait must not keep the others waiting
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// takeLine takes a line with its LF off what is buffered.
func (c *wire) takeLine() (line []byte, ok bool) {
	b := c.buffered()
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, false
	}
	c.r += i + 1
	return b[:i+1], true
}

// put renders a reply into the output.
func (c *wire) put(r reply.Reply, st reply.Style) {
	if c.out == nil {
		c.out = c.pool.out.Get().(*[]byte)
	}
	*c.out = r.Append(*c.out, st)
}

// pending is how many octets of replies wait to be written.
func (c *wire) pending() int {
	if c.out == nil {
		return 0
	}
	return len(*c.out)
}

// flush writes what was put; the caller has set the deadline.
func (c *wire) flush() error {
	if c.out == nil {
		return nil
	}
	_, err := c.conn.Write(*c.out)
	*c.out = (*c.out)[:0]
	if cap(*c.out) <= 2*flushAt {
		c.pool.out.Put(c.out)
	}
	c.out = nil
	return err
}
