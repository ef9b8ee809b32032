package auth_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"postern/gateway/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a DNS server's records, a line each as in a zone file. "NAME SLOW" has
// the server wait, "NAME SILENT" never answer, "NAME FAIL" answer SERVFAIL.
type zone struct {
	records map[string][]dns.RR
	odd     map[string]string
	asked   chan string // nil: nobody wants to know
}

func parseZone(t testing.TB, text string) *zone {
	t.Helper()
	z := &zone{records: map[string][]dns.RR{}, odd: map[string]string{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 2 {
			z.odd[f[0]] = f[1]
		} else if len(f) > 2 {
			rr, err := dns.NewRR(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			name := strings.ToLower(onTheWire(t, rr.Header().Name))
			z.records[name] = append(z.records[name], rr)
		}
	}
	return z
}

// onTheWire is a name as it is read from a question.
func onTheWire(t testing.TB, name string) string {
	t.Helper()
	buf := make([]byte, 256)
	if _, err := dns.PackDomainName(name, buf, 0, nil, false); err != nil {
		t.Fatal(name, err)
	}
	name, _, err := dns.UnpackDomainName(buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// txt is a zone's line for a text of any length.
func txt(name, text string) string {
	var b strings.Builder
	b.WriteString(name + ". 300 IN TXT")
	for ; len(text) > 250; text = text[250:] {
		b.WriteString(` "` + text[:250] + `"`)
	}
	return b.String() + ` "` + text + "\"\n"
}

// ServeDNS implements dns.Handler.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	name := strings.ToLower(q.Question[0].Name)
	if z.asked != nil {
		z.asked <- name
	}
	switch z.odd[name] {
	case "SLOW":
		time.Sleep(300 * time.Millisecond)
	case "SILENT":
		return
	case "FAIL":
		m.Rcode = dns.RcodeServerFailure
	}
	for _, rr := range z.records[name] {
		if t := rr.Header().Rrtype; t == q.Question[0].Qtype || t == dns.TypeCNAME {
			m.Answer = append(m.Answer, rr)
		}
	}
	exists := len(z.records[name]) > 0 || z.odd[name] != ""
	for n := range z.records {
		exists = exists || strings.HasSuffix(n, "."+name)
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
		soa, _ := dns.NewRR("example. 300 IN SOA ns.example. root.example. 1 1 1 1 300")
		m.Ns = []dns.RR{soa}
	}
	size := 65535
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size = dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
	}
	m.Truncate(size)
	_ = w.WriteMsg(m)
}

// serve answers on loopback by UDP and TCP and returns the address.
func (z *zone) serve(t testing.TB) string {
	t.Helper()
	pc, l := samePort(t)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: l, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return pc.LocalAddr().String()
}

// samePort listens on a port that is free for UDP as well as for TCP.
func samePort(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if pc, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return pc, l
		}
		l.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

func resolver(t testing.TB, servers ...string) *auth.Resolver {
	t.Helper()
	r, err := auth.NewResolver(servers, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestResolver(t *testing.T) {
	long := strings.Repeat("0123456789", 400)
	r := resolver(t, parseZone(t, txt("t.example", `a\"b;c`)+txt("long.example", long)+`
alias.example. 60 IN CNAME other.example.
other.example. 60 IN CNAME t.example.
loop.example. 60 IN CNAME loop2.example.
loop2.example. 60 IN CNAME loop.example.
nowhere.example. 60 IN CNAME gone.example.
host.example. 60 IN A 192.0.2.7
host.example. 60 IN AAAA 2001:db8::7
host.example. 60 IN MX 20 b.example.
host.example. 60 IN MX 10 a.example.
7.2.0.192.in-addr.arpa. 60 IN PTR liar.example.
7.2.0.192.in-addr.arpa. 60 IN PTR Host.example.
8.2.0.192.in-addr.arpa. 60 IN PTR liar.example.
liar.example. 60 IN A 192.0.2.99
fail.example. FAIL
`).serve(t))
	ctx := t.Context()
	for name, want := range map[string]string{
		"t.example": `a"b;c`, "T.Example.": `a"b;c`, "alias.example": `a"b;c`, "long.example": long,
		"gone.example": "not found", "host.example": "not found", "nowhere.example": "not found", "loop.example": "temporary", "fail.example": "temporary",
		strings.Repeat("a", 64) + ".example": "not found", "": "not found", "a..example": "not found",
	} {
		got, err := r.LookupTXT(ctx, name)
		if g := told(strings.Join(got, "|"), err); g != want {
			t.Errorf("%q: %s, want %s", name, g, want)
		}
	}
	mx, err := r.LookupMX(ctx, "host.example")
	if err != nil || len(mx) != 2 || mx[0].Host != "a.example." {
		t.Errorf("MX %v, %v", mx, err)
	}
	if ips, err := r.LookupIPAddr(ctx, "host.example"); err != nil || len(ips) != 2 {
		t.Errorf("addresses %v, %v", ips, err)
	}
	for addr, want := range map[string]string{"192.0.2.7": "host.example", "192.0.2.8": "", "192.0.2.9": ""} {
		if got := r.ClientName(ctx, parseAddr(t, addr)); got != want {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
}

func told(s string, err error) string {
	e, ok := err.(*net.DNSError)
	switch {
	case err == nil:
		return s
	case ok && e.IsNotFound:
		return "not found"
	case ok && e.IsTemporary:
		return "temporary"
	}
	return err.Error()
}

// TestResolverRemembers: an answer is asked for once in its time, whatever it is,
// and a question that is under way is not asked twice.
func TestResolverRemembers(t *testing.T) {
	z := parseZone(t, txt("t.example", "x")+"slow.example. 60 IN TXT y\nslow.example. SLOW\nnever.example. 0 IN TXT z\n")
	z.asked = make(chan string, 100)
	now := time.Now()
	r, err := auth.NewResolver([]string{z.serve(t)}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ask := func(name string) { _, _ = r.LookupTXT(t.Context(), name) }
	count := func(want int, why string) {
		t.Helper()
		if n := len(z.asked); n != want {
			t.Errorf("%s: %d questions, want %d", why, n, want)
		}
		for len(z.asked) > 0 {
			<-z.asked
		}
	}
	for range 3 {
		ask("t.example")
		ask("T.EXAMPLE")
		ask("gone.example")
	}
	count(2, "a text and a name that isn't there")
	now = now.Add(301 * time.Second)
	ask("t.example")
	ask("gone.example")
	count(2, "after their time")
	ask("never.example")
	ask("never.example")
	count(2, "an answer that isn't to be kept")
	done := make(chan struct{})
	for range 5 {
		go func() { ask("slow.example"); done <- struct{}{} }()
	}
	for range 5 {
		<-done
	}
	count(1, "five at once")
}

// TestSilentServers: servers that are away cost a few questions their time, then
// none, and are found when they are back.
func TestSilentServers(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0") // takes questions, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	now := time.Now()
	r, err := auth.NewResolver([]string{pc.LocalAddr().String()}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ask := func(name string) (string, time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := r.LookupTXT(ctx, name)
		return told("", err), time.Since(began)
	}
	if got, took := ask("a.example"); got != "temporary" || took > 1900*time.Millisecond {
		t.Errorf("%s after %v", got, took)
	}
}

// TestSpecialUse: without POSTERN_DNS nobody is asked for names that nobody has.
func TestSpecialUse(t *testing.T) {
	r := resolver(t)
	for _, name := range []string{"_dmarc.client.example", "a.test", "x.invalid", "localhost", "printer.local"} {
		if _, err := r.LookupTXT(t.Context(), name); told("", err) != "not found" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func parseAddr(t testing.TB, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
