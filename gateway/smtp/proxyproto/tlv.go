package proxyproto

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

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
			return nil, ErrHeader
		case kind == crc && !checksumOK(header, len(header)-len(rest)-len(value), value):
			return nil, ErrHeader
		case kind == ssl:
			if state, ok = parseSSL(value); !ok {
				return nil, ErrHeader
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

// cipherID knows a suite by its IANA name and by OpenSSL's, which HAProxy gives;
// others are 0, unknown.
func cipherID(name string) uint16 {
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if c.Name == name || openSSLName(c.Name) == name {
			return c.ID
		}
	}
	return 0
}

// openSSLName is ECDHE-RSA-AES128-GCM-SHA256 for TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
// the suites of TLS 1.3 have one name.
func openSSLName(iana string) string {
	exchange, cipher, ok := strings.Cut(strings.TrimPrefix(iana, "TLS_"), "_WITH_")
	if !ok {
		return iana
	}
	cipher = strings.NewReplacer("AES_", "AES", "_CBC_SHA", "-SHA", "POLY1305_SHA256", "POLY1305", "3DES_EDE", "DES-CBC3", "RC4_128", "RC4", "_", "-").Replace(cipher)
	if exchange == "RSA" {
		return cipher
	}
	return strings.ReplaceAll(exchange, "_", "-") + "-" + cipher
}
