package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"postern/cmd/internal/config"
)

// TestCheckDNS: check says of DNS what a sender would find.
func TestCheckDNS(t *testing.T) {
	records := map[string][]dns.RR{}
	for _, line := range []string{
		"in.example. 60 IN MX 10 mx.our.example.", "other.example. 60 IN MX 10 mx.elsewhere.example.", "mx.our.example. 60 IN A 192.0.2.1", "mx.our.example. 60 IN A 192.0.2.2",
		"1.2.0.192.in-addr.arpa. 60 IN PTR mx.our.example.",
	} {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		records[rr.Header().Name] = append(records[rr.Header().Name], rr)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, rr := range records[q.Question[0].Name] {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { defer close(ended); _ = server.ActivateAndServe() }()
	<-started
	defer func() { _ = server.Shutdown(); <-ended }()
	c := &config.Config{}
	c.Listen.Domain = "mx.our.example"
	c.Directory.Recipients = config.List{"*@in.example", "*@other.example", "*@gone.example"}
	c.Sender.DNS = config.List{pc.LocalAddr().String()}
	var out bytes.Buffer
	k := &checks{out: &out}
	k.dns(t.Context(), c)
	for _, want := range []string{
		"ok       MX of in.example names mx.our.example",
		"warning  MX of other.example is mx.elsewhere.example, not mx.our.example",
		"warning  MX of gone.example: none",
		"note     MX of mx.our.example: none; senders use its addresses",
		"ok       mx.our.example is 192.0.2.1, whose PTR leads back",
		"note     mx.our.example is 192.0.2.2, which has no PTR",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if k.failed != 0 {
		t.Errorf("%d failed", k.failed)
	}
}
