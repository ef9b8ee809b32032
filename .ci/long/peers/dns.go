package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"
)

// sender is the domain that all mails come from, as its DNS tells of it. Its
// mails are signed, so that a gateway that checks senders proves each of them.
type sender struct {
	key *rsa.PrivateKey
	txt map[string][]string // by name
	dns string              // host:port of the server that answers for it
}

const selector = "s2026"

// newSender makes a key, and starts the server; it ends with the process.
func newSender() (*sender, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	p := base64.StdEncoding.EncodeToString(public)
	s := &sender{key: key, txt: map[string][]string{
		"example.net.":                        {"v=spf1 ip4:127.0.0.0/8 -all"},
		"_dmarc.example.net.":                 {"v=DMARC1; p=reject"},
		selector + "._domainkey.example.net.": {"v=DKIM1; k=rsa; p=" + p[:200], p[200:]},
	}}
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.dns = l.LocalAddr().String()
	go (&dns.Server{PacketConn: l, Handler: s}).ActivateAndServe()
	return s, nil
}

// ServeDNS implements dns.Handler.
func (s *sender) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	name := strings.ToLower(q.Question[0].Name)
	switch strings, known := s.txt[name]; {
	case known && q.Question[0].Qtype == dns.TypeTXT:
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 3600}, Txt: strings}}
	case !known:
		m.Rcode = dns.RcodeNameError
		fallthrough
	default: // a negative answer is kept for as long as its SOA says
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "example.net.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 3600}, Ns: "ns.example.net.", Mbox: "dns.example.net.", Minttl: 3600}}
	}
	_ = w.WriteMsg(m)
}

// sign puts a signature before a mail.
func (s *sender) sign(mail string) (string, error) {
	var out bytes.Buffer
	err := dkim.Sign(&out, strings.NewReader(mail), &dkim.SignOptions{Domain: "example.net", Selector: selector, Signer: s.key, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version"}})
	return out.String(), err
}
