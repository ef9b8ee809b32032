// Package proxyproto reads the PROXY protocol, versions 1 and 2 (haproxy's
// proxy-protocol.txt): the first octets of a connection say who really
// connected. A header that isn't whole and right is an error; nothing of it is
// believed then.
package proxyproto

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Header is what a header says.
type Header struct {
	Source, Destination netip.AddrPort       // invalid: the socket's own hold
	TLS                 *tls.ConnectionState // nil: the client came in the clear
}

const (
	maxV1  = 107  // octets of a version 1 line with CRLF
	headV2 = 16   // octets before the addresses
	maxV2  = 4096 // octets of a version 2 header that we are willing to read
)

var signatureV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")

var (
	// ErrShort is returned by Parse when the header is not complete yet.
	ErrShort = errors.New("proxyproto: header not complete")
	// ErrHeader is returned by Parse for what is no header.
	ErrHeader = errors.New("proxyproto: not a PROXY header")
)

// Parse reads a header at the start of b, n octets long. ErrShort
// asks for more.
func Parse(b []byte) (h Header, n int, err error) {
	const v1 = "PROXY "
	switch {
	case prefixOf(b, signatureV2):
		return parseV2(b)
	case prefixOf(b, []byte(v1)):
		return parseV1(b)
	}
	return h, 0, ErrHeader
}

// prefixOf reports whether b may yet turn out to begin with sign.
func prefixOf(b, sign []byte) bool {
	n := min(len(b), len(sign))
	return bytes.Equal(b[:n], sign[:n])
}

// parseV1 reads "PROXY TCP4 src dst sport dport" CRLF.
func parseV1(b []byte) (h Header, n int, err error) {
	end := bytes.Index(b, []byte("\r\n"))
	switch {
	case end < 0 && len(b) < maxV1:
		return h, 0, ErrShort
	case end < 0 || end+2 > maxV1:
		return h, 0, ErrHeader
	}
	f := strings.Split(string(b[:end]), " ")
	if len(f) >= 2 && f[1] == "UNKNOWN" {
		return h, end + 2, nil
	}
	if len(f) != 6 || (f[1] != "TCP4" && f[1] != "TCP6") {
		return h, 0, ErrHeader
	}
	src, err1 := addrPort(f[2], f[4], f[1] == "TCP6")
	dst, err2 := addrPort(f[3], f[5], f[1] == "TCP6")
	if err1 != nil || err2 != nil {
		return h, 0, ErrHeader
	}
	return Header{Source: src, Destination: dst}, end + 2, nil
}

func addrPort(host, port string, six bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return netip.AddrPort{}, ErrHeader
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, ErrHeader
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

// parseV2 reads the binary header.
func parseV2(b []byte) (h Header, n int, err error) {
	if len(b) < headV2 {
		return h, 0, ErrShort
	}
	version, command, family := b[12]>>4, b[12]&0xF, b[13]
	n = headV2 + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case version != 2 || command > 1 || n > maxV2:
		return h, 0, ErrHeader
	case len(b) < n:
		return h, 0, ErrShort
	}
	body := b[headV2:n]
	const local, tcp4, tcp6, unspecified, unix = 0, 0x11, 0x21, 0x00, 0x31
	size := 0
	switch {
	case command == local:
		return h, n, nil
	case family == unspecified:
	case family == tcp4 && len(body) >= 12:
		h.Source, h.Destination, size = v2Addrs(body, 4)
	case family == tcp6 && len(body) >= 36:
		h.Source, h.Destination, size = v2Addrs(body, 16)
	case family == unix && len(body) >= 216:
		size = 216
	default:
		return h, 0, ErrHeader
	}
	h.TLS, err = parseTLVs(body[size:], b[:n])
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
