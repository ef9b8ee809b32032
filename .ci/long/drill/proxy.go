package main

import (
	"net"
	"sync"
)

// proxy is a replica's way to a server: it can be cut (connections end, new ones
// are refused) or frozen (nothing passes any more, and nobody says so).
type proxy struct {
	target string
	l      net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]bool
	cut    bool
	frozen chan struct{} // closed when it isn't
}

func newProxy(target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	p := &proxy{target: target, l: l, conns: map[net.Conn]bool{}, frozen: make(chan struct{})}
	close(p.frozen)
	go p.serve()
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) serve() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		go p.join(in)
	}
}

func (p *proxy) join(in net.Conn) {
	defer in.Close()
	if !p.add(in) {
		return
	}
	defer p.drop(in)
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer out.Close()
	if !p.add(out) {
		return
	}
	defer p.drop(out)
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { p.pass(way[1], way[0]); done <- struct{}{} }()
	}
	<-done
}

// pass copies until an end closes, as long as it isn't frozen.
func (p *proxy) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		<-frozen
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// sever cuts it; the function mends it.
func (p *proxy) sever() (mend func()) {
	p.mu.Lock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		p.cut = false
		p.mu.Unlock()
	}
}

// freeze has nothing pass; the function thaws it.
func (p *proxy) freeze() (thaw func()) {
	stop := make(chan struct{})
	p.mu.Lock()
	p.frozen = stop
	p.mu.Unlock()
	return func() { close(stop) }
}
