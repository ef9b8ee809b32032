package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"postern/gateway"
	"postern/gateway/auth"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// nameServer answers with texts: "FAIL" is SERVFAIL.
type nameServer map[string]string

// ServeDNS implements dns.Handler.
func (s nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	text, ok := s[q.Question[0].Name]
	switch {
	case text == "FAIL":
		m.Rcode = dns.RcodeServerFailure
	case !ok:
		m.Rcode = dns.RcodeNameError
	case q.Question[0].Qtype == dns.TypeTXT:
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}}}
	}
	_ = w.WriteMsg(m)
}

// senders makes a checker over a DNS server of its own, and a signer whose key is
// in it.
func senders(t *testing.T, records nameServer) (*auth.Checker, func(message, domain string) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"a.example", "b.example", "away.example"} {
		records["s._domainkey."+domain+"."] = "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: pc, Handler: records, NotifyStartedFunc: func() { close(started) }}
	go func() { defer close(ended); _ = server.ActivateAndServe() }()
	<-started
	resolver, err := auth.NewResolver([]string{pc.LocalAddr().String()}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resolver.Close(); _ = server.Shutdown(); <-ended })
	sign := func(message, domain string) string {
		var b bytes.Buffer
		err := dkim.Sign(&b, strings.NewReader(message), &dkim.SignOptions{Domain: domain, Selector: "s", Signer: private, Hash: crypto.SHA256, HeaderKeys: []string{"From", "Subject"}})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	return auth.New(auth.Config{Domain: "mx.example"}, auth.Deps{DNS: resolver}), sign
}

// from is a mail of an author.
func from(author, id string) string {
	return "From: " + author + "\r\nSubject: hello\r\nMessage-ID: <" + id + ">\r\n\r\nbody\r\n"
}

// deliver gives a mail and returns the reply to its dot.
func (k *client) deliver(message string, to ...string) string {
	k.t.Helper()
	k.say("MAIL FROM:<x@a.example>", 250)
	for _, r := range to {
		k.say("RCPT TO:<"+r+">", 250)
	}
	k.say("DATA", 354)
	_, _ = k.c.Write([]byte(message + ".\r\n"))
	_, text := k.reply()
	return text
}

// TestGate: an endpoint that takes verified senders only refuses others without a
// POST and without a trace in the store, whether webhooks are asked or mail is
// queued; beside an endpoint that takes the mail its refusal is no answer.
func TestGate(t *testing.T) {
	for _, queueFirst := range []bool{false, true} {
		checker, sign := senders(t, nameServer{"_dmarc.a.example.": "v=DMARC1; p=reject", "_dmarc.b.example.": "v=DMARC1; p=none", "_dmarc.away.example.": "FAIL"})
		s := setting{sender: checker, worker: queueFirst, endpoints: []webhook.Config{
			{Name: "few", Match: []string{"few@in.example"}, AllowFrom: []string{"ann@a.example"}, Defer: true},
			{Name: "proven", Match: []string{"proven@in.example"}, Require: webhook.Verified, Defer: true},
			{Name: "open", Defer: true},
		}}
		s.gateway.QueueFirst = queueFirst
		h := newHarness(t, s)
		k := h.dial(h.addr, "EHLO")
		posts := 0
		for _, c := range []struct {
			message string
			to      []string
			reply   string
			posts   int
		}{
			{sign(from("ann@a.example", "1"), "a.example"), []string{"few@in.example"}, "250 2.0.0", 1},
			{sign(from("ann@a.example", "2"), "a.example"), []string{"proven@in.example"}, "250 2.0.0", 1},
			{sign(from("bob@a.example", "3"), "a.example"), []string{"few@in.example"}, "550 5.7.1 Sender refused: it is not among those", 0},
			{from("ann@a.example", "4"), []string{"few@in.example"}, "550 5.7.1 Sender refused: spf not checked", 0},
			{sign(from("ann@a.example", "5"), "b.example"), []string{"few@in.example"}, "550 5.7.1 Sender refused:", 0},
			{from("ann@a.example", "6"), []string{"few@in.example", "proven@in.example"}, "550 5.7.1 Sender refused:", 0},
			{from("ann@a.example", "7"), []string{"few@in.example", "open@in.example"}, "250 2.0.0", 1},
			{sign(from("x@away.example", "8"), "away.example"), []string{"proven@in.example"}, "451 4.7.0 Sender can't be verified now: DNS trouble", 0},
			{"Authentication-Results: mx.example; dmarc=pass header.from=a.example\r\n" + from("ann@a.example", "9"), []string{"proven@in.example"}, "550 5.7.1", 0},
			{"From: eve@b.example\r\n" + sign(from("ann@a.example", "10"), "a.example"), []string{"proven@in.example"}, "550 5.7.1 Sender refused: several From", 0},
		} {
			if got := k.deliver(c.message, c.to...); !strings.HasPrefix(got, c.reply) {
				t.Errorf("queue %v, %.60q to %v: %s, want %s", queueFirst, c.message, c.to, got, c.reply)
			}
			posts += c.posts
			h.waitFor(posts)
		}
		if n := len(h.got()); n != posts {
			t.Errorf("queue %v: %d posts, want %d", queueFirst, n, posts)
		}
		for _, i := range allWaiting(t, h) {
			if i.State == retry.Dead {
				t.Errorf("queue %v: a stranger's mail is stored: %+v", queueFirst, i)
			}
		}
		h.stop()
	}
}

// TestVerdictInPayload: the verdict that was made at receipt is what the webhook
// reads, fresh or out of the queue, with our line above the message's header.
func TestVerdictInPayload(t *testing.T) {
	checker, sign := senders(t, nameServer{"_dmarc.a.example.": "v=DMARC1; p=reject"})
	for _, queueFirst := range []bool{false, true} {
		s := setting{sender: checker, worker: queueFirst}
		s.gateway.QueueFirst = queueFirst
		h := newHarness(t, s)
		h.dial(h.addr, "EHLO").deliver(sign(from("ann@a.example", "1"), "a.example"), "x@in.example")
		var p struct {
			Authentication mail.Authentication
			Message        struct {
				Headers []struct{ Name, Value string }
			}
		}
		h.must(json.Unmarshal(h.waitFor(1)[0].Body, &p))
		a := p.Authentication
		if !a.SenderVerified || a.DMARC.Result != "pass" || a.DMARC.Policy != "reject" || a.DMARC.AlignedBy != "dkim" || len(a.DKIM) != 1 || a.Reason != "dmarc pass by dkim d=a.example" {
			t.Errorf("queue %v: %+v", queueFirst, a)
		}
		if f := p.Message.Headers[0]; f.Name != "Authentication-Results" || strings.Join(strings.Fields(f.Value), " ") != a.Header {
			t.Errorf("queue %v: %+v, want %s", queueFirst, f, a.Header)
		}
		h.stop()
	}
}

// fromProxy has every connection begin with the client's address.
func fromProxy(c *smtp.Config) { c.ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// dialAs connects as a client of another address.
func (h *harness) dialAs(address string) *client {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	h.must(err)
	h.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "PROXY TCP4 %s 127.0.0.1 4242 25\r\n", address)
	k := &client{t: h.t, c: c, r: bufio.NewReader(c)}
	k.want(220)
	k.say("EHLO client.example", 250)
	return k
}

// TestDMARCEnforced: 550 to what the author's domain asks to refuse; never where
// SPF could not be checked or DNS doesn't answer.
func TestDMARCEnforced(t *testing.T) {
	checker, sign := senders(t, nameServer{"_dmarc.a.example.": "v=DMARC1; p=reject", "_dmarc.b.example.": "v=DMARC1; p=quarantine", "_dmarc.away.example.": "FAIL"})
	for _, enforce := range []bool{false, true} {
		s := setting{sender: checker, smtp: fromProxy}
		s.gateway.EnforceDMARC = enforce
		h := newHarness(t, s)
		refused := map[bool]string{true: "550 5.7.1", false: "250"}[enforce]
		for _, c := range []struct{ client, message, reply string }{
			{"192.0.2.1", from("ann@a.example", "1"), refused},
			{"192.0.2.1", sign(from("ann@a.example", "2"), "a.example"), "250"},
			{"192.0.2.1", from("ann@b.example", "3"), "250"},
			{"192.0.2.1", from("x@away.example", "4"), "250"},
			{"192.0.2.1", from("ann@a.example, x@b.example", "5"), refused},
			{"10.1.1.1", from("ann@a.example", "6"), "250"},
		} {
			k := h.dialAs(c.client)
			if got := k.deliver(c.message, "x@in.example"); !strings.HasPrefix(got, c.reply) {
				t.Errorf("enforce %v, from %s, %.40q: %s, want %s", enforce, c.client, c.message, got, c.reply)
			}
		}
		h.stop()
	}
}

// filter has the same opinion of every mail.
type filter struct{ spam *mail.Spam }

// Check implements gateway.Filter.
func (f filter) Check(context.Context, *mail.Envelope, mail.Source) *mail.Spam { return f.spam }

// TestSpamFilter: its opinion is in the payload, and obeyed only where that is
// wanted.
func TestSpamFilter(t *testing.T) {
	for action, reply := range map[string]string{"no action": "250", "add header": "250", "reject": "550 5.7.1", "soft reject": "451 4.7.1", "greylist": "451 4.7.1", "": "250"} {
		for _, enforce := range []bool{false, true} {
			f := filter{&mail.Spam{Score: 7.5, Action: action, Symbols: []mail.SpamSymbol{{Name: "GTUBE", Score: 7.5}}}}
			if action == "" {
				f.spam = nil
			}
			heard := &counter{}
			s := setting{filter: f, noQueue: true, observer: heard}
			s.gateway.EnforceSpam = enforce
			h := newHarness(t, s)
			want := "250"
			if enforce {
				want = reply
			}
			if got := h.dial(h.addr, "EHLO").deliver(from("a@b.example", "1"), "x@in.example"); !strings.HasPrefix(got, want) {
				t.Errorf("%q, enforce %v: %s, want %s", action, enforce, got, want)
			}
			if counted := "reply " + want[:3]; !slices.Equal(heard.all(), []string{counted}) {
				t.Errorf("%q, enforce %v: counted %q, want %q", action, enforce, heard.all(), counted)
			}
			if want == "250" {
				body := string(h.waitFor(1)[0].Body)
				if has := strings.Contains(body, `"spam":{"score":7.5,"action":"`+action+`","symbols":["GTUBE"]}`); has != (action != "") {
					t.Errorf("%q: %s", action, body)
				}
			}
			h.stop()
		}
	}
}

var _ gateway.Filter = filter{}
