package smtp_test

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/gateway/smtp"
)

// pipes is a Listener whose connections are in memory, so that a bubble's
// clock rules them.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// inBubble runs a session under a fake clock, with the default timeouts.
func inBubble(t *testing.T, change func(*smtp.Config), f func(p *player)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smtp.DefaultConfig("mx.here.example")
		if change != nil {
			change(&cfg)
		}
		fix := &fixture{cfg: cfg, rec: &recorder{}, hello: "EHLO"}
		srv, err := smtp.NewServer(cfg, fix.rec)
		if err != nil {
			t.Fatal(err)
		}
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(context.Background(), l, smtp.SMTP) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		p := &player{t: t, fix: fix, conn: slow{ours}, r: bufio.NewReader(ours)}
		f(p)
		ours.Close()
		_ = srv.Close()
		<-served
	})
}

// slow is a pipe that ignores the player's own deadlines, which are of the
// real world's order.
type slow struct{ net.Conn }

func (slow) SetReadDeadline(time.Time) error  { return nil }
func (slow) SetWriteDeadline(time.Time) error { return nil }

// TestCommandClock: five minutes for a command, however it trickles in.
func TestCommandClock(t *testing.T) {
	t.Run("silence", func(t *testing.T) {
		inBubble(t, nil, func(p *player) {
			p.must("< 220")
			start := time.Now()
			p.must("< 421 4.4.2", "<close")
			if d := time.Since(start); d != 5*time.Minute {
				t.Errorf("after %s", d)
			}
		})
	})
	t.Run("trickle", func(t *testing.T) {
		inBubble(t, nil, func(p *player) {
			p.must("< 220")
			start := time.Now()
			gone := make(chan bool)
			go func() {
				defer close(gone)
				for {
					if _, err := p.conn.Write([]byte("N")); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			p.must("< 421 4.4.2", "<close")
			if d := time.Since(start); d != 5*time.Minute {
				t.Errorf("after %s", d)
			}
			p.conn.Close()
			<-gone
		})
	})
	t.Run("the session in all", func(t *testing.T) {
		inBubble(t, func(c *smtp.Config) { c.MaxJunk = 0 }, func(p *player) {
			start := time.Now()
			p.must("< 220")
			for range 14 {
				p.must("> NOOP", "< 250")
				time.Sleep(4 * time.Minute)
			}
			p.must("> NOOP", "< 250", "< 421 4.4.2", "<close")
			if d := time.Since(start); d != time.Hour {
				t.Errorf("after %s", d)
			}
		})
	})
}

// trickle sends octets at a rate until the server hangs up, and says when.
func trickle(p *player, block []byte, every time.Duration) (lasted time.Duration) {
	start := time.Now()
	heard := make(chan bool)
	go func() {
		defer close(heard)
		p.must("< 421 4.4.2", "<close")
		lasted = time.Since(start)
		p.conn.Close()
	}()
	for {
		if _, err := p.conn.Write(block); err != nil {
			<-heard
			return lasted
		}
		time.Sleep(every)
	}
}

// TestDataClock: a block every three minutes, and 500 octets a second behind
// the first three.
func TestDataClock(t *testing.T) {
	t.Run("silence", func(t *testing.T) {
		inBubble(t, nil, func(p *player) {
			p.must("< 220", "EMRD")
			if d := trickle(p, []byte("x"), time.Hour); d != 3*time.Minute {
				t.Errorf("after %s", d)
			}
		})
	})
	t.Run("one octet a second", func(t *testing.T) {
		inBubble(t, nil, func(p *player) {
			p.must("< 220", "EMRD")
			if d := trickle(p, []byte("x"), time.Second); d < 3*time.Minute || d > 3*time.Minute+2*time.Second {
				t.Errorf("after %s", d)
			}
		})
	})
	t.Run("a little under the rate", func(t *testing.T) {
		inBubble(t, nil, func(p *player) {
			p.must("< 220", "EMR", "> BDAT 50000000")
			if d := trickle(p, make([]byte, 400), time.Second); d < 14*time.Minute || d > 16*time.Minute {
				t.Errorf("after %s", d) // 3 min / (1 - 400/500)
			}
		})
	})
	t.Run("the rate, until the session's end", func(t *testing.T) {
		inBubble(t, func(c *smtp.Config) { c.MaxSize = 0 }, func(p *player) {
			p.must("< 220", "EMRD")
			if d := trickle(p, make([]byte, 600), time.Second); d != time.Hour {
				t.Errorf("after %s", d)
			}
		})
	})
}

// TestErrorsCostTime: behind the soft limit each error waits.
func TestErrorsCostTime(t *testing.T) {
	inBubble(t, nil, func(p *player) {
		p.must("< 220", "E")
		start := time.Now()
		for range 5 {
			p.must("> XFROB", "< 500")
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("five errors cost %s", d)
		}
		p.must("> XFROB", "< 500")
		if d := time.Since(start); d != time.Second {
			t.Errorf("the sixth costs %s", d)
		}
	})
}
