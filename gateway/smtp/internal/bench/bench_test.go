package bench

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// drain counts octets and keeps nothing: the spool is not what is compared.
type drain struct{ n int }

func (d *drain) Write(p []byte) (int, error) { d.n += len(p); return len(p), nil }
func (d *drain) Abort()                      {}

// ours is the engine's handler.
type ours struct{}

func (ours) Connect(context.Context, *smtp.Client) reply.Reply   { return reply.Reply{} }
func (ours) Mail(context.Context, *smtp.Transaction) reply.Reply { return reply.Reply{} }
func (ours) Rcpt(context.Context, *smtp.Transaction, *smtp.Recipient) reply.Reply {
	return reply.Reply{}
}
func (ours) Data(context.Context, *smtp.Transaction) (smtp.Sink, reply.Reply) {
	return &drain{}, reply.Reply{}
}
func (ours) Message(context.Context, *smtp.Transaction, smtp.Sink) []reply.Reply {
	return []reply.Reply{reply.New(250, reply.Enhanced{2, 0, 0}, "OK")}
}
func (ours) Ended(*smtp.Transaction, []reply.Reply, bool)             {}
func (ours) Refused(*smtp.Client, string, string, reply.Reply)        {}
func (ours) Verify(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (ours) Expand(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (ours) Status(context.Context, *smtp.Client) reply.Reply         { return reply.Reply{} }

// theirs is go-smtp's backend and session.
type theirs struct{}

func (theirs) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return theirs{}, nil }
func (theirs) Reset()                                          {}
func (theirs) Logout() error                                   { return nil }
func (theirs) Mail(string, *gosmtp.MailOptions) error          { return nil }
func (theirs) Rcpt(string, *gosmtp.RcptOptions) error          { return nil }
func (theirs) Data(r io.Reader) error {
	_, err := io.Copy(&drain{}, struct{ io.Reader }{r})
	return err
}

func serveOurs(b testing.TB, l net.Listener) {
	srv, err := smtp.NewServer(smtp.DefaultConfig("mx.here.example"), ours{})
	if err != nil {
		b.Fatal(err)
	}
	go srv.Serve(context.Background(), l, smtp.SMTP)
	b.Cleanup(func() { srv.Close() })
}

func serveTheirs(b testing.TB, l net.Listener) {
	srv := gosmtp.NewServer(theirs{})
	srv.Domain, srv.MaxMessageBytes = "mx.here.example", 50<<20
	go srv.Serve(l)
	b.Cleanup(func() { srv.Close() })
}

// client sends a message again and again and allocates nothing.
type client struct {
	b    testing.TB
	conn net.Conn
	buf  [4096]byte
}

func (c *client) say(octets string, lines int) { c.send([]byte(octets), lines) }

func (c *client) send(octets []byte, lines int) {
	if _, err := c.conn.Write(octets); err != nil {
		c.b.Fatal(err)
	}
	for lines > 0 {
		n, err := c.conn.Read(c.buf[:])
		if err != nil {
			c.b.Fatal(err)
		}
		lines -= bytes.Count(c.buf[:n], []byte("\n"))
	}
}

// cpu is the time that this process has spent. The client's part is in both.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestDataCosts holds the engine to its budget: 20 MB by DATA cost at most a
// quarter of go-smtp's CPU, client and kernel included on both sides.
func TestDataCosts(t *testing.T) {
	m := message(20 << 20)
	each := func(serve func(testing.TB, net.Listener)) time.Duration {
		const rounds = 5
		c := newClient(t, serve)
		start := cpu()
		for range rounds {
			c.transaction(m)
		}
		return (cpu() - start) / rounds
	}
	ours, theirs := each(serveOurs), each(serveTheirs)
	t.Logf("postern %s, go-smtp %s: 1/%.1f", ours, theirs, float64(theirs)/float64(ours))
	if 4*ours > theirs {
		t.Error("more than a quarter")
	}
}

func newClient(b testing.TB, serve func(testing.TB, net.Listener)) *client {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	serve(b, l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &client{b: b, conn: conn}
	c.say("", 1)
	c.say("HELO x\r\n", 1)
	return c
}

func (c *client) transaction(message []byte) {
	c.say("MAIL FROM:<ann@x.example>\r\n", 1)
	c.say("RCPT TO:<bob@here.example>\r\n", 1)
	c.say("DATA\r\n", 1)
	c.send(message, 1)
}

func run(b *testing.B, serve func(testing.TB, net.Listener), message []byte) {
	c := newClient(b, serve)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		c.transaction(message)
	}
	b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// base64 lines, as an attachment has them.
func message(size int) []byte {
	line := strings.Repeat("QUJDRA==", 9) + "QUJD\r\n"
	return []byte("Subject: x\r\n\r\n" + strings.Repeat(line, size/len(line)) + ".\r\n")
}

func BenchmarkData(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"2KB", 2 << 10}, {"500KB", 500 << 10}, {"20MB", 20 << 20}} {
		m := message(size.n)
		b.Run(size.name+"/postern", func(b *testing.B) { run(b, serveOurs, m) })
		b.Run(size.name+"/go-smtp", func(b *testing.B) { run(b, serveTheirs, m) })
		b.Run(size.name+"/nothing", func(b *testing.B) { run(b, serveNothing, m) })
	}
}

// serveNothing reads and drops: the client's and the kernel's part of the cost.
func serveNothing(b testing.TB, l net.Listener) {
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "220 x\r\n")
		buf := make([]byte, 64<<10)
		for held := 0; ; {
			n, err := conn.Read(buf[held:])
			if err != nil {
				return
			}
			n += held
			held = 0
			switch {
			case bytes.HasSuffix(buf[:n], []byte("\r\n.\r\n")), n < 64 && bytes.HasSuffix(buf[:n], []byte("\r\n")):
				_, _ = io.WriteString(conn, "250 x\r\n")
			case n >= 5:
				held = copy(buf, buf[n-5:n])
			default:
				held = n
			}
		}
	}()
	b.Cleanup(func() { l.Close() })
}
