package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/smtp"
)

// The "with" of RFC 3848 and RFC 6531 section 4.3.
func TestProtocol(t *testing.T) {
	tls := &tls.ConnectionState{}
	for _, c := range []struct {
		client smtp.Client
		utf8   bool
		want   string
	}{
		{smtp.Client{}, false, "SMTP"},
		{smtp.Client{TLS: tls, Auth: "ann"}, false, "SMTP"},
		{smtp.Client{Extended: true}, false, "ESMTP"},
		{smtp.Client{Extended: true, TLS: tls}, false, "ESMTPS"},
		{smtp.Client{Extended: true, Auth: "ann"}, false, "ESMTPA"},
		{smtp.Client{Extended: true, TLS: tls, Auth: "ann"}, false, "ESMTPSA"},
		{smtp.Client{Extended: true, TLS: tls, Auth: "ann"}, true, "UTF8SMTPSA"},
		{smtp.Client{LMTP: true, Extended: true}, false, "LMTP"},
		{smtp.Client{LMTP: true, TLS: tls, Auth: "ann"}, false, "LMTPSA"},
		{smtp.Client{LMTP: true, Extended: true}, true, "UTF8LMTP"},
	} {
		if got := protocol(&c.client, c.utf8); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// The Received line says who came from where, whatever they call themselves, and
// discloses no blind copy.
func TestReceived(t *testing.T) {
	at := time.Date(2026, 1, 6, 10, 0, 0, 0, time.UTC)
	one := []mail.Recipient{{Address: "a@in.example"}}
	for _, c := range []struct {
		env  mail.Envelope
		want string
	}{
		{mail.Envelope{Hello: "client.example", Client: netip.MustParseAddrPort("192.0.2.1:25"), ClientName: "mail.client.example", To: one},
			"Received: from client.example (mail.client.example [192.0.2.1])\r\n\tby mx.example (Postern) with ESMTP id id1\r\n\tfor <a@in.example>;\r\n\tTue, 06 Jan 2026 10:00:00 +0000\r\n"},
		{mail.Envelope{Hello: "", Client: netip.MustParseAddrPort("[2001:db8::1]:25"), To: append(one, one...)},
			"Received: from unknown ([IPv6:2001:db8::1])\r\n\tby mx.example (Postern) with ESMTP id id1;\r\n\tTue, 06 Jan 2026 10:00:00 +0000\r\n"},
		{mail.Envelope{Hello: "a b(c)\\\x01", Client: netip.MustParseAddrPort("[::ffff:192.0.2.1]:25")},
			"Received: from a_b_c___ ([192.0.2.1])\r\n\tby mx.example (Postern) with ESMTP id id1;\r\n\tTue, 06 Jan 2026 10:00:00 +0000\r\n"},
		{mail.Envelope{Hello: "local"}, "Received: from local\r\n\tby mx.example (Postern) with ESMTP id id1;\r\n\tTue, 06 Jan 2026 10:00:00 +0000\r\n"},
	} {
		c.env.ID, c.env.Protocol, c.env.Received = "id1", "ESMTP", at
		if got := received(&c.env, "mx.example"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// Ids sort by time, which the history reads in them, and are never the same.
func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	before := ""
	for i := range 1000 {
		at := time.UnixMilli(int64(i) * 1_000_000_007)
		id := newID(at)
		if a := (history.Attempt{Message: id}); !a.Came().Equal(at) {
			t.Fatalf("%s is of %v, and is read as %v", id, at, a.Came())
		}
		if seen[id] || id <= before || strings.ContainsAny(id, "/+=.") {
			t.Fatalf("%s after %s", id, before)
		}
		seen[id], before = true, id
	}
}

func TestTLSOf(t *testing.T) {
	if got := tlsOf(&tls.ConnectionState{HandshakeComplete: true}); *got != (mail.TLS{}) {
		t.Errorf("what a proxy doesn't tell is %+v", *got)
	}
	if tlsOf(nil) != nil {
		t.Error("TLS in the clear")
	}
	state := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	if got := tlsOf(state); *got != (mail.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256"}) {
		t.Errorf("%+v", got)
	}
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}}
	state.PeerCertificates = []*x509.Certificate{cert}
	if got := tlsOf(state); got.ClientSubject != "" {
		t.Errorf("a certificate that nobody verified: %+v", got)
	}
	state.VerifiedChains = [][]*x509.Certificate{{cert}}
	if got := tlsOf(state); got.ClientSubject != "CN=ann" {
		t.Errorf("%+v", got)
	}
}
