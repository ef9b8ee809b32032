package smtp

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): the
// first octets of a connection say who really connected.

// proxyHeader is what a header says; invalid addresses mean the socket's own.
type proxyHeader struct {
	src, dst netip.AddrPort
	tls      *tls.ConnectionState
}

const (
	proxyV1Max  = 107  // octets of a version 1 line with CRLF
	proxyV2Head = 16   // octets before the addresses
	proxyV2Max  = 4096 // octets of a version 2 header that we are willing to read
)

var proxyV2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

var (
	errProxyShort = errors.New("smtp: PROXY header not complete")
	errProxy      = errors.New("smtp: not a PROXY header")
)

// readProxy takes the header off where one is due, and makes its addresses
// the client's.
func (s *session) readProxy() Reply {
	if s.client.Unix || !s.fromProxy() {
		return Reply{}
	}
	deadline := s.deadline(s.srv.cfg.ProxyTimeout)
	for {
		h, n, err := parseProxy(s.buffered())
		switch {
		case err == nil:
			s.r += n
			s.trust(h)
			return Reply{}
		case !errors.Is(err, errProxyShort):
			s.noted(EventCrossProtocol)
			return s.ended(EndProtocol, replyNoProxy)
		}
		if err := s.fillUntil(deadline); err != nil {
			return s.lost(err)
		}
	}
}

func (s *session) fromProxy() bool {
	for _, p := range s.srv.cfg.ProxyFrom {
		if p.Contains(s.client.Addr.Addr()) {
			return true
		}
	}
	return false
}

func (s *session) trust(h proxyHeader) {
	if h.src.IsValid() {
		s.client.Addr, s.client.Local = h.src, h.dst
	}
	s.client.TLS = h.tls
}

// parseProxy reads a header at the start of b, n octets long. errProxyShort
// asks for more.
func parseProxy(b []byte) (h proxyHeader, n int, err error) {
	const v1 = "PROXY "
	switch {
	case prefixOf(b, proxyV2Signature):
		return parseProxyV2(b)
	case prefixOf(b, []byte(v1)):
		return parseProxyV1(b)
	}
	return h, 0, errProxy
}

// prefixOf reports whether b may yet turn out to begin with sign.
func prefixOf(b, sign []byte) bool {
	n := min(len(b), len(sign))
	return bytes.Equal(b[:n], sign[:n])
}

// parseProxyV1 reads "PROXY TCP4 src dst sport dport" CRLF.
func parseProxyV1(b []byte) (h proxyHeader, n int, err error) {
	end := bytes.Index(b, crlf)
	switch {
	case end < 0 && len(b) < proxyV1Max:
		return h, 0, errProxyShort
	case end < 0 || end+2 > proxyV1Max:
		return h, 0, errProxy
	}
	f := strings.Split(string(b[:end]), " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return h, end + 2, nil
	}
	if len(f) != 6 || (f[1] != "TCP4" && f[1] != "TCP6") {
		return h, 0, errProxy
	}
	src, err1 := proxyAddr(f[2], f[4], f[1] == "TCP6")
	dst, err2 := proxyAddr(f[3], f[5], f[1] == "TCP6")
	if err1 != nil || err2 != nil {
		return h, 0, errProxy
	}
	return proxyHeader{src: src, dst: dst}, end + 2, nil
}

func proxyAddr(host, port string, six bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return netip.AddrPort{}, errProxy
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errProxy
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

// parseProxyV2 reads the binary header.
func parseProxyV2(b []byte) (h proxyHeader, n int, err error) {
	if len(b) < proxyV2Head {
		return h, 0, errProxyShort
	}
	version, command, family := b[12]>>4, b[12]&0xF, b[13]
	n = proxyV2Head + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case version != 2 || command > 1 || n > proxyV2Max:
		return h, 0, errProxy
	case len(b) < n:
		return h, 0, errProxyShort
	}
	body := b[proxyV2Head:n]
	const local, tcp4, tcp6, unspecified, unix = 0, 0x11, 0x21, 0x00, 0x31
	size := 0
	switch {
	case command == local:
		return h, n, nil
	case family == unspecified:
	case family == tcp4 && len(body) >= 12:
		h.src, h.dst, size = v2Addrs(body, 4)
	case family == tcp6 && len(body) >= 36:
		h.src, h.dst, size = v2Addrs(body, 16)
	case family == unix && len(body) >= 216:
		size = 216
	default:
		return h, 0, errProxy
	}
	h.tls, err = parseTLVs(body[size:], b[:n])
	return h, n, err
}

// v2Addrs reads both addresses, of n octets each, and both ports.
func v2Addrs(b []byte, n int) (src, dst netip.AddrPort, size int) {
	a, _ := netip.AddrFromSlice(b[:n])
	d, _ := netip.AddrFromSlice(b[n : 2*n])
	ports := b[2*n:]
	src = netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(ports))
	dst = netip.AddrPortFrom(d.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return src, dst, 2*n + 4
}

// nextTLV takes one type-length-value off b.
func nextTLV(b []byte) (kind byte, value, rest []byte, ok bool) {
	if len(b) < 3 {
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < 3+n {
		return 0, nil, nil, false
	}
	return b[0], b[3 : 3+n], b[3+n:], true
}

// parseTLVs looks for the checksum, which must be right, and for TLS.
func parseTLVs(b, header []byte) (state *tls.ConnectionState, err error) {
	const crc, ssl = 0x03, 0x20
	for len(b) > 0 {
		kind, value, rest, ok := nextTLV(b)
		switch {
		case !ok:
			return nil, errProxy
		case kind == crc && !checksumOK(header, len(header)-len(rest)-len(value), value):
			return nil, errProxy
		case kind == ssl:
			if state, ok = parseSSL(value); !ok {
				return nil, errProxy
			}
		}
		b = rest
	}
	return state, nil
}

// checksumOK verifies CRC-32C over the header with the checksum's own octets zero.
func checksumOK(header []byte, at int, value []byte) bool {
	if len(value) != 4 {
		return false
	}
	clean := bytes.Clone(header)
	copy(clean[at:at+4], []byte{0, 0, 0, 0})
	return crc32.Checksum(clean, crc32.MakeTable(crc32.Castagnoli)) == binary.BigEndian.Uint32(value)
}

// parseSSL reads the SSL TLV; nil: the client came without TLS. A certificate
// that the proxy verified is known by its common name alone.
func parseSSL(b []byte) (*tls.ConnectionState, bool) {
	const clientSSL, version, commonName, cipher = 0x01, 0x21, 0x22, 0x23
	if len(b) < 5 {
		return nil, false
	}
	state := &tls.ConnectionState{HandshakeComplete: true}
	on, verified := b[0]&clientSSL != 0, binary.BigEndian.Uint32(b[1:]) == 0
	for b = b[5:]; len(b) > 0; {
		kind, value, rest, ok := nextTLV(b)
		switch {
		case !ok:
			return nil, false
		case kind == version:
			state.Version = tlsVersions[string(value)]
		case kind == cipher:
			state.CipherSuite = cipherID(string(value))
		case kind == commonName && verified:
			cert := &x509.Certificate{Subject: pkix.Name{CommonName: string(value)}}
			state.PeerCertificates = []*x509.Certificate{cert}
			state.VerifiedChains = [][]*x509.Certificate{{cert}}
		}
		b = rest
	}
	if !on {
		return nil, true
	}
	return state, true
}

var tlsVersions = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

// cipherID knows a suite by its IANA name; OpenSSL's names are 0, unknown.
func cipherID(name string) uint16 {
	for _, c := range tls.CipherSuites() {
		if c.Name == name {
			return c.ID
		}
	}
	return 0
}
