package smtp_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// cheap is a Handler that spends nothing itself.
type cheap struct{ replies []reply.Reply }

type drain struct{}

func (drain) Write(p []byte) (int, error) { return len(p), nil }
func (drain) Abort()                      {}

func newCheap() *cheap {
	return &cheap{replies: []reply.Reply{reply.New(250, reply.Enhanced{2, 0, 0}, "Taken")}}
}

func (*cheap) Connect(context.Context, *smtp.Client) reply.Reply   { return reply.Reply{} }
func (*cheap) Mail(context.Context, *smtp.Transaction) reply.Reply { return reply.Reply{} }
func (*cheap) Rcpt(context.Context, *smtp.Transaction, *smtp.Recipient) reply.Reply {
	return reply.Reply{}
}
func (*cheap) Data(context.Context, *smtp.Transaction) (smtp.Sink, reply.Reply) {
	return drain{}, reply.Reply{}
}
func (h *cheap) Message(context.Context, *smtp.Transaction, smtp.Sink) []reply.Reply {
	return h.replies
}
func (*cheap) Ended(*smtp.Transaction, []reply.Reply, bool)             {}
func (*cheap) Refused(*smtp.Client, string, string, reply.Reply)        {}
func (*cheap) Verify(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (*cheap) Expand(context.Context, *smtp.Client, string) reply.Reply { return reply.Reply{} }
func (*cheap) Status(context.Context, *smtp.Client) reply.Reply         { return reply.Reply{} }

// cheapServer serves it, with limits that don't get in the way.
func cheapServer(t testing.TB) net.Addr {
	cfg := smtp.DefaultConfig("mx.here.example")
	cfg.MaxConnections, cfg.MaxConnectionsPerClient = 0, 0
	srv, err := smtp.NewServer(cfg, newCheap())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l, smtp.SMTP) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return l.Addr()
}

// rawClient says prepared octets and counts reply lines; it allocates nothing.
type rawClient struct {
	t    testing.TB
	conn net.Conn
	buf  [4096]byte
}

func (c *rawClient) say(octets []byte, lines int) {
	if _, err := c.conn.Write(octets); err != nil {
		c.t.Fatal(err)
	}
	for lines > 0 {
		n, err := c.conn.Read(c.buf[:])
		if err != nil {
			c.t.Fatal(err)
		}
		lines -= bytes.Count(c.buf[:n], []byte("\n"))
	}
}

func newRawClient(t testing.TB, addr net.Addr) *rawClient {
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &rawClient{t: t, conn: conn}
	c.say(nil, 1)
	c.say([]byte("EHLO client.test.example\r\n"), 10)
	return c
}

var (
	envelopeGroup = []byte("MAIL FROM:<ann@client.test.example> SIZE=2000 BODY=8BITMIME\r\nRCPT TO:<bob@here.example>\r\nDATA\r\n")
	smallMessage  = []byte("From: ann@client.test.example\r\nSubject: hi\r\n\r\n" + strings.Repeat("a line of text\r\n", 120) + ".\r\n")
)

// TestAllocationBudget: a plain transaction in a steady session costs at most
// ten allocations, the handler's apart.
func TestAllocationBudget(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := newRawClient(t, cheapServer(t))
	got := testing.AllocsPerRun(500, func() {
		c.say(envelopeGroup, 3)
		c.say(smallMessage, 1)
	})
	t.Logf("%.1f allocations", got)
	if got > 10 {
		t.Errorf("%.1f allocations a transaction, the budget is 10", got)
	}
}

func BenchmarkTransaction(b *testing.B) {
	c := newRawClient(b, cheapServer(b))
	b.ReportAllocs()
	for b.Loop() {
		c.say(envelopeGroup, 3)
		c.say(smallMessage, 1)
	}
}

var idleCount = flag.Int("idle", 1000, "idle connections of TestIdleBudget; needs about twice as many descriptors in both processes")

// TestIdleBudget: an idle connection costs at most 6 KiB, its goroutine's stack
// included. The clients are another process, so that only ours are counted.
func TestIdleBudget(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's shadow is counted")
	}
	addr := cheapServer(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t)
	r, w := io.Pipe()
	proc, err := startIdlers(exe, addr.String(), *idleCount, w)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = proc.Process.Kill()
		_ = proc.Wait()
		w.Close()
	}()
	line := make([]byte, len(idlersReady))
	if _, err := io.ReadFull(r, line); err != nil || string(line) != idlersReady {
		t.Fatalf("idlers: %q %v", line, err)
	}
	time.Sleep(500 * time.Millisecond) // until the last is asleep
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	each := float64(m.HeapInuse+m.StackInuse-before) / float64(*idleCount) / 1024
	t.Logf("%d idle: %.2f KiB each (stacks %.2f KiB), RSS %d MiB", *idleCount, each, float64(m.StackInuse)/float64(*idleCount)/1024, rss(t)>>20)
	if each > 6 {
		t.Errorf("%.2f KiB for an idle connection, the budget is 6", each)
	}
}

func resident(t *testing.T) uint64 {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// rss is the process's resident set, 0 where nobody tells.
func rss(t *testing.T) int {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
