package smtp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway/smtp"
	"postern/gateway/smtp/reply"
)

// talk is a player on a server of its own, beyond what a script can say.
func talk(t *testing.T, f *fixture) *player {
	p := &player{t: t, fix: f}
	p.dial()
	t.Cleanup(func() { p.conn.Close() })
	return p
}

// must plays steps.
func (p *player) must(steps ...string) {
	p.t.Helper()
	for _, s := range steps {
		if !p.step(s) {
			p.t.Fatalf("%s\nlast reply: %q", s, p.last)
		}
	}
}

// TestShutdown: idle sessions and open envelopes are told to come again; a
// message in DATA, a message in the handler's hands and a message between two
// chunks get their replies first.
func TestShutdown(t *testing.T) {
	f := newFixture(t)
	enter, leave := make(chan bool), make(chan bool)
	var slow atomic.Bool
	f.rec.onMsg = func(context.Context) []reply.Reply {
		if slow.Swap(false) {
			enter <- true
			<-leave
		}
		return []reply.Reply{reply.New(250, reply.Enhanced{2, 0, 0}, "Taken")}
	}
	fresh, idle, envelope, data, chunk, handled := talk(t, f), talk(t, f), talk(t, f), talk(t, f), talk(t, f), talk(t, f)
	idle.must("E")
	envelope.must("EMR")
	data.must("EMRD", ">> half a mess")
	chunk.must("EMR", ">> BDAT 3\\r\\nabc", "< 250")
	handled.must("EMRD")
	slow.Store(true)
	handled.must(">> .\\r\\n")
	<-enter

	done := make(chan error, 1)
	go func() { done <- f.srv.Shutdown(context.Background()) }()
	for _, p := range []*player{fresh, idle, envelope} {
		p.must("< 421 4.3.2", "<close")
	}
	data.must(">> age\\r\\n.\\r\\n", "< 250", "< 421 4.3.2", "<close")
	chunk.must(">> BDAT 3 LAST\\r\\ndef", "< 250", "< 421 4.3.2", "<close")
	leave <- true
	handled.must("< 250", "< 421 4.3.2", "<close")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(f.rec.got()); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	if _, err := net.Dial("tcp", f.addr.String()); err == nil {
		t.Error("still listening")
	}
}

// TestShutdownGrace: when the grace is over handlers see their context end, and
// their answers still reach the clients; who is in the middle of DATA or BDAT is
// told to come again.
func TestShutdownGrace(t *testing.T) {
	f := newFixture(t)
	f.rec.onMsg = func(ctx context.Context) []reply.Reply {
		<-ctx.Done()
		return []reply.Reply{reply.New(451, reply.Enhanced{4, 3, 2}, "Shutting down")}
	}
	data, handled := talk(t, f), talk(t, f)
	bdat := talk(t, f)
	data.must("EMRD", ">> half")
	bdat.must("EMR", ">> BDAT 4\\r\\nhalf", "< 250", ">> BDAT 100 LAST\\r\\nhalf")
	handled.must("EMRD", ">> .\\r\\n")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	data.must("< 421 4.3.2", "<close")
	bdat.must("< 421 4.3.2", "<close")
	handled.must("< 451 Shutting down", "< 421 4.3.2", "<close")
	if f.rec.aborted != 2 || len(f.rec.got()) != 1 {
		t.Errorf("%d aborted, %d messages, want 2 and 1", f.rec.aborted, len(f.rec.got()))
	}
}

// TestConnectionLimits: in all, by client, and after a PROXY header by the
// client behind the proxy; a place is free again when its session ends.
func TestConnectionLimits(t *testing.T) {
	for _, c := range []struct {
		name, key, reply string
	}{
		{"total", "total=3", "421 4.3.2"},
		{"client", "client=3", "421 4.7.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.key)
			var taken []*player
			for range 3 {
				taken = append(taken, talk(t, f))
			}
			f.silent = true
			for range 3 {
				talk(t, f).must("< "+c.reply, "<close")
			}
			taken[0].must("> QUIT", "< 221", "<close")
			eventually(t, func() bool {
				p := &player{t: t, fix: f}
				p.dial()
				defer p.conn.Close()
				return p.expect("220")
			})
		})
	}
}

func TestConnectionLimitBehindProxy(t *testing.T) {
	f := newFixture(t, "proxy", "client=2")
	for i, want := range []string{"< 220", "< 220", "< 421 4.7.0"} {
		p := talk(t, f)
		p.must(">> PROXY TCP6 2001:db8:1:2::"+string("abc"[i])+" 2001:db8::2 1000 25\\r\\n", want)
	}
	talk(t, f).must(">> PROXY TCP6 2001:db8:1:3::1 2001:db8::2 1000 25\\r\\n", "< 220")
}

// TestConnectionLimitUnderLoad: however many come at once, no more than the
// limit are in, and in the end all places are free.
func TestConnectionLimitUnderLoad(t *testing.T) {
	f := newFixture(t, "total=8", "client=8")
	f.silent = true
	var wg sync.WaitGroup
	var in, peak, served atomic.Int64
	for range 64 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", f.addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			line, _ := bufio.NewReader(conn).ReadString('\n')
			if strings.HasPrefix(line, "220") {
				n := in.Add(1)
				for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
				}
				served.Add(1)
				time.Sleep(2 * time.Millisecond)
				in.Add(-1)
			}
		})
	}
	wg.Wait()
	if peak.Load() > 8 || served.Load() < 8 {
		t.Errorf("%d at once, %d served", peak.Load(), served.Load())
	}
	eventually(t, func() bool {
		for range 8 {
			p := &player{t: t, fix: f}
			p.dial()
			defer p.conn.Close() // at the end of this try
			if !p.expect("220") {
				return false
			}
		}
		return true
	})
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Error("it never came true")
}

// TestAnswered: the handler hears whether the client was still there.
func TestAnswered(t *testing.T) {
	f := newFixture(t)
	p := talk(t, f)
	p.must("EMRD", ">> .\\r\\n", "< 250")
	enter, leave := make(chan bool), make(chan bool)
	f.rec.onMsg = func(context.Context) []reply.Reply {
		enter <- true
		<-leave
		return []reply.Reply{reply.New(250, reply.Enhanced{2, 0, 0}, "Taken")}
	}
	p.must("> MAIL FROM:<>", "< 250", "> RCPT TO:<bob@here.example>", "< 250", "> DATA", "< 354", ">> .\\r\\n")
	<-enter
	p.conn.Close()
	time.Sleep(10 * time.Millisecond) // the FIN's way over the loopback
	leave <- true
	eventually(t, func() bool {
		f.rec.mu.Lock()
		defer f.rec.mu.Unlock()
		return len(f.rec.gone) == 2 && !f.rec.gone[0] && f.rec.gone[1]
	})
}

// TestEnded: the handler hears of each transaction's end once, however it ends.
func TestEnded(t *testing.T) {
	for _, row := range []struct {
		name, options string
		steps         []string
		want          string
	}{
		{"delivered", "", []string{"EMRD", ">> .\\r\\n", "< 250", "> QUIT", "< 221"}, "bob@here.example => 250"},
		{"given up", "", []string{"EMR", "> RSET", "< 250", "> QUIT", "< 221"}, "bob@here.example =>"},
		{"a new greeting", "", []string{"EMR", "> EHLO x.example", "< 250", "> QUIT", "< 221"}, "bob@here.example =>"},
		{"hung up", "", []string{"EMR"}, "bob@here.example => gone"},
		{"hung up in DATA", "", []string{"EMRD", "> Subject: x"}, "bob@here.example => gone"},
		{"nobody is known", "", []string{"EM", "> RCPT TO:<bad@here.example>", "< 550", "> RCPT TO:<bob@>", "< 553", "> RCPT TO:<bob@here.example> X=Y", "< 555", "> DATA", "< 554", "> QUIT", "< 221"},
			"bad@here.example:550 <bob@>:553 bob@here.example:555 =>"},
		{"too big", "size=100", []string{"EMRD", ">> %{x*200}\\r\\n.\\r\\n", "< 552", "> QUIT", "< 221"}, "bob@here.example => 552"},
		{"no password", "auth clear", []string{"E", "> AUTH PLAIN AGJvYgB3cm9uZw==", "< 535", "> AUTH PLAIN x", "< 501", "> QUIT", "< 221"}, "AUTH bob: 535"},
		{"no sender", "", []string{"E", "> MAIL FROM:<spammer@x.example>", "< 550", "> MAIL FROM:<a b@x>", "< 553", "> QUIT", "< 221"}, "MAIL FROM:<spammer@x.example>: 550; MAIL FROM:<a b@x>: 553"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, strings.Fields(row.options)...)
			p := talk(t, f)
			p.must(row.steps...)
			p.conn.Close()
			heard := func() string {
				f.rec.mu.Lock()
				defer f.rec.mu.Unlock()
				return strings.Join(f.rec.ended, "; ")
			}
			eventually(t, func() bool { return heard() != "" })
			if got := heard(); got != row.want {
				t.Errorf("heard %q, want %q", got, row.want)
			}
		})
	}
}

// TestSignInsAreTold: each way in which an attempt to sign in can end has its name.
func TestSignInsAreTold(t *testing.T) {
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.cfg.ErrorDelay = 0
	o := &ending{}
	f.opts = []smtp.Option{smtp.WithObserver(o), smtp.WithAuthenticator(users{})}
	f.start(t)
	talk(t, f).must("E", "> AUTH PLAIN AGFubgBzZWNyZXQ=", "< 534", "> AUTH X-NONE", "< 504", "> QUIT", "< 221")
	f.cfg.AuthInsecure = true
	f.start(t)
	talk(t, f).must("E", "> AUTH PLAIN AGFubgB3cm9uZw==", "< 535", "> AUTH PLAIN ?", "< 501", "> AUTH LOGIN", "< 334", "> *", "< 501",
		"> AUTH PLAIN AGRvd24AeA==", "< 454", "> AUTH PLAIN AGFubgBzZWNyZXQ=", "< 235", "> AUTH PLAIN x", "< 503", "> QUIT", "< 221")
	o.mu.Lock()
	defer o.mu.Unlock()
	if got, want := strings.Join(o.signIns, " "), "refused refused wrong malformed cancelled unavailable ok"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// countingListener counts the writes of its connections.
type countingListener struct {
	net.Listener
	writes atomic.Int64
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l}, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(b)
}

// TestOneWriteForAGroup: RFC 2920 section 3.2.
func TestOneWriteForAGroup(t *testing.T) {
	f := newFixture(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &countingListener{Listener: inner}
	done := make(chan error, 1)
	go func() { done <- f.srv.Serve(t.Context(), l, smtp.SMTP) }()
	defer func() {
		inner.Close()
		<-done
	}()
	f.addr = inner.Addr()
	p := talk(t, f)
	p.must("E")
	before := l.writes.Load()
	p.must(">> MAIL FROM:<>\\r\\nRCPT TO:<bad@here.example>\\r\\n%{RCPT TO:<bob@here.example>\\r\\n*20}DATA\\r\\n", "< 250", "< 550", "<n 20 250", "< 354")
	if n := l.writes.Load() - before; n != 1 {
		t.Errorf("%d writes for a group", n)
	}
	p.must(">> .\\r\\n", "< 250")
}

// TestSlowReader: a client that sends and never reads is dropped.
func TestSlowReader(t *testing.T) {
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.cfg.WriteTimeout, f.cfg.MaxJunk, f.cfg.ErrorDelay = 50*time.Millisecond, 0, 0
	ends := make(chan smtp.End, 1)
	f.opts = []smtp.Option{smtp.WithObserver(&ending{ends: ends})}
	f.start(t)
	p := talk(t, f)
	if err := p.conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	_ = p.conn.SetWriteDeadline(time.Now().Add(patience))
	group := bytes.Repeat([]byte("HELP\r\n"), 1000)
	for {
		if _, err := p.conn.Write(group); err != nil {
			break
		}
	}
	select {
	case end := <-ends:
		if end != smtp.EndGone {
			t.Errorf("ended by %s", end)
		}
	case <-time.After(patience):
		t.Error("the session lives on")
	}
}

// ending is an Observer that reports ends.
type ending struct {
	mu      sync.Mutex
	ends    chan smtp.End
	codes   map[string]int
	events  []smtp.Event
	signIns []string
}

func (e *ending) SessionStarted(*smtp.Client) {}
func (e *ending) Replied(_ *smtp.Client, verb string, code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.codes == nil {
		e.codes = map[string]int{}
	}
	e.codes[verb]++
}
func (e *ending) Happened(_ *smtp.Client, ev smtp.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
}
func (e *ending) SignedIn(_ *smtp.Client, how smtp.SignIn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.signIns = append(e.signIns, how.String())
}
func (e *ending) SessionEnded(_ *smtp.Client, end smtp.End) {
	if e.ends != nil {
		e.ends <- end
	}
}

// TestObserver: every reply is counted under a verb, every session has its end.
func TestObserver(t *testing.T) {
	f := &fixture{cfg: smtp.DefaultConfig("mx.here.example"), rec: &recorder{}, hello: "EHLO", vars: map[string]string{}}
	f.cfg.BareLF = smtp.BareLFReject
	o := &ending{ends: make(chan smtp.End, 1)}
	f.opts = []smtp.Option{smtp.WithObserver(o)}
	f.start(t)
	for _, c := range []struct {
		script string
		end    smtp.End
	}{
		{"EMRD|>> a\\nb\\r\\n.\\r\\n|< 550|>> NOOP\\n|< 250|> XFROB|< 500|> QUIT|< 221|<close", smtp.EndQuit},
		{"E|!eof|<close", smtp.EndGone},
		{"> GET / HTTP/1.1|< 554|<close", smtp.EndProtocol},
		{"EM|> RCPT TO:<shut@here.example>|< 421|<close", smtp.EndHandler},
		{"EM|> RCPT TO:<panic@here.example>|< 421|<close", smtp.EndFault},
	} {
		p := talk(t, f)
		p.must(strings.Split(c.script, "|")...)
		p.conn.Close()
		if end := <-o.ends; end != c.end {
			t.Errorf("%s ended by %s, want %s", c.script, end, c.end)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for verb, n := range map[string]int{"CONNECT": 5, "EHLO": 4, "END-OF-DATA": 1, "UNKNOWN": 1, "GET": 1} {
		if o.codes[verb] != n {
			t.Errorf("%s: %d replies, want %d", verb, o.codes[verb], n)
		}
	}
	want := []smtp.Event{smtp.EventBareLFMessage, smtp.EventBareLFCommand, smtp.EventCrossProtocol, smtp.EventPanic}
	if len(o.events) != len(want) {
		t.Fatal(o.events)
	}
	for i := range want {
		if o.events[i] != want[i] {
			t.Error(o.events)
		}
	}
}

func TestNamesOfEventsAndEnds(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range smtp.Events() {
		seen[e.String()] = true
	}
	for _, e := range smtp.Ends() {
		seen["end-"+e.String()] = true
	}
	for _, e := range smtp.SignIns() {
		seen["sign-in-"+e.String()] = true
	}
	if seen["unknown"] || seen["end-unknown"] || seen["sign-in-unknown"] || len(seen) != len(smtp.Events())+len(smtp.Ends())+len(smtp.SignIns()) {
		t.Error(seen)
	}
}

// TestEarlyTalkWithoutDelay: what came before the accept is noticed.
func TestEarlyTalkWithoutDelay(t *testing.T) {
	f := newFixture(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("EHLO x\r\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	done := make(chan error, 1)
	go func() { done <- f.srv.Serve(t.Context(), inner, smtp.SMTP) }()
	p := &player{t: t, fix: f, conn: conn, r: bufio.NewReader(conn)}
	p.must("< 554 5.5.0", "<close")
	inner.Close()
	<-done
}

func TestLMTPNotOnPort25(t *testing.T) {
	f := newFixture(t)
	l := &fakeListener{addr: &net.TCPAddr{Port: 25}}
	if err := f.srv.Serve(t.Context(), l, smtp.LMTP); err == nil || !strings.Contains(err.Error(), "25") {
		t.Error(err)
	}
	if err := f.srv.Serve(t.Context(), l, smtp.SMTPS); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

type fakeListener struct{ addr net.Addr }

func (l *fakeListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (l *fakeListener) Close() error              { return nil }
func (l *fakeListener) Addr() net.Addr            { return l.addr }

// TestClientCertificate reaches the handler.
func TestClientCertificate(t *testing.T) {
	f := newFixture(t, "smtps")
	cert := selfSigned(t)
	conn, err := tls.Dial("tcp", f.addr.String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &player{t: t, fix: f, conn: conn, r: bufio.NewReader(conn)}
	p.must("< 220", "EMRD", ">> .\\r\\n", "< 250")
	state := f.rec.got()[0].t.Client.TLS
	if state == nil || len(state.PeerCertificates) != 1 || state.PeerCertificates[0].Subject.CommonName != "mx.here.example" {
		t.Errorf("%+v", state)
	}
}

// TestOldTLS: RFC 8996.
func TestOldTLS(t *testing.T) {
	f := newFixture(t, "smtps")
	_, err := tls.Dial("tcp", f.addr.String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 was spoken")
	}
}
