package smtp_test

import (
	"crypto/tls"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"testing"
)

// TestProxyIsTheClient: what the header says is what the handler sees.
func TestProxyIsTheClient(t *testing.T) {
	f := newFixture(t, "proxy", "tls")
	p := talk(t, f)
	if _, err := p.conn.Write(proxyV2()); err != nil {
		t.Fatal(err)
	}
	p.must("< 220", "E", "> STARTTLS", "< 503", "> MAIL FROM:<> REQUIRETLS", "< 250", "> RCPT TO:<bob@here.example>", "< 250", "> DATA", "< 354", ">> .\\r\\n", "< 250")
	c := f.rec.got()[0].t.Client
	if c.Addr != netip.MustParseAddrPort("192.0.2.1:1000") || c.Local != netip.MustParseAddrPort("192.0.2.2:25") {
		t.Errorf("addresses %s and %s", c.Addr, c.Local)
	}
	if c.TLS == nil || c.TLS.Version != tls.VersionTLS13 || c.TLS.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || c.TLS.PeerCertificates[0].Subject.CommonName != "ann" {
		t.Errorf("TLS %+v", c.TLS)
	}
}

// proxyV2 is a header with a checksum and TLS.
func proxyV2() []byte {
	tlv := func(kind byte, v string) []byte {
		return append([]byte{kind, byte(len(v) >> 8), byte(len(v))}, v...)
	}
	ssl := "\x01\x00\x00\x00\x00" + string(tlv(0x21, "TLSv1.3")) + string(tlv(0x22, "ann")) + string(tlv(0x23, "TLS_AES_128_GCM_SHA256"))
	body := append([]byte{192, 0, 2, 1, 192, 0, 2, 2, 3, 232, 0, 25}, tlv(0x20, ssl)...)
	body = append(body, tlv(0x03, "\x00\x00\x00\x00")...)
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), byte(len(body)>>8), byte(len(body)))
	h = append(h, body...)
	binary.BigEndian.PutUint32(h[len(h)-4:], crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli)))
	return h
}

func TestProxyChecksum(t *testing.T) {
	f := newFixture(t, "proxy")
	h := proxyV2()
	h[16]++ // another address
	p := talk(t, f)
	if _, err := p.conn.Write(h); err != nil {
		t.Fatal(err)
	}
	p.must("< 554", "<close")
}
