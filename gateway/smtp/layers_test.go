package smtp_test

import (
	"bufio"
	"crypto/tls"
	"net"
	"testing"
)

// glued is a connection that sends octets in one segment with the first that
// are written.
type glued struct {
	net.Conn
	head []byte
}

func (c *glued) Write(p []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Write(p)
	}
	n := len(c.head)
	all := append(c.head, p...)
	c.head = nil
	written, err := c.Conn.Write(all)
	return max(0, written-n), err
}

// TestProxyHeaderWithHello: a proxy may send its header and the client's TLS
// hello in one segment.
func TestProxyHeaderWithHello(t *testing.T) {
	for name, header := range map[string][]byte{
		"v1": []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1000 465\r\n"), "v2": proxyV2(),
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			f := newFixture(t, "proxy", "smtps")
			raw, err := net.Dial("tcp", f.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(&glued{raw, header}, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
			if err := conn.Handshake(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p := &player{t: t, fix: f, conn: conn, r: bufio.NewReader(conn)}
			p.must("< 220", "EMRD", ">> x\\r\\n.\\r\\n", "< 250", "> QUIT", "< 221")
			if c := f.rec.got()[0].t.Client; c.Addr.String() != "192.0.2.1:1000" || c.TLS == nil || c.TLS.Version != version {
				t.Errorf("%s: client %v, TLS %v", name, c.Addr, c.TLS)
			}
			conn.Close()
		}
	}
}

// TestTurnWithGreeting: a client that greets before it knows our answer to TURN
// is not listened to.
func TestTurnWithGreeting(t *testing.T) {
	p := swap(t, &shelf{})
	p.must(">> TURN\\r\\n220 client.test.example\\r\\n", "< 554", "<close")
}
