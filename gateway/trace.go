package gateway

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"postern/gateway/mail"
)

// idEncoding sorts like the bytes that it encodes and is safe in a header, a
// file name and a url.
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// newID returns a unique name that sorts by time: 48 bits of milliseconds and
// 80 random bits.
func newID(at time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(at.UnixMilli())<<16)
	rand.Read(b[6:])
	return idEncoding.EncodeToString(b[:])
}

// received renders our Received line (RFC 5321, 4.4), folded, CRLF at its end.
// It names the recipient only where there is one: with more it would disclose
// blind copies.
func received(e *mail.Envelope, domain string) string {
	var b strings.Builder
	b.Grow(256)
	b.WriteString("Received: from ")
	b.WriteString(printable(e.Hello, "unknown"))
	if e.Client.IsValid() {
		b.WriteString(" (")
		if e.ClientName != "" {
			b.WriteString(printable(e.ClientName, "unknown"))
			b.WriteByte(' ')
		}
		b.WriteString(addressLiteral(e.Client.Addr()))
		b.WriteByte(')')
	}
	b.WriteString("\r\n\tby ")
	b.WriteString(domain)
	b.WriteString(" (Postern) with ")
	b.WriteString(e.Protocol)
	b.WriteString(" id ")
	b.WriteString(e.ID)
	if len(e.To) == 1 {
		b.WriteString("\r\n\tfor <")
		b.WriteString(printable(e.To[0].Address, "unknown"))
		b.WriteByte('>')
	}
	b.WriteString(";\r\n\t")
	b.WriteString(e.Received.Format(time.RFC1123Z))
	b.WriteString("\r\n")
	return b.String()
}

// addressLiteral renders RFC 5321's address literal: [192.0.2.1], [IPv6:2001:db8::1].
func addressLiteral(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return "[" + a.String() + "]"
	}
	return "[IPv6:" + a.String() + "]"
}

// printable keeps what a client said from breaking the line or its comments.
func printable(s, empty string) string {
	if s == "" {
		return empty
	}
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '(' || r == ')' || r == '\\' }
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return '_'
		}
		return r
	}, s)
}

// protocol names the transmission type for the Received line (RFC 3848, RFC 6531 4.3).
func protocol(lmtp, extended, utf8, tls, auth bool) string {
	if !lmtp && !extended {
		return "SMTP"
	}
	p := "ESMTP"
	switch {
	case lmtp && utf8:
		p = "UTF8LMTP"
	case lmtp:
		p = "LMTP"
	case utf8:
		p = "UTF8SMTP"
	}
	if tls {
		p += "S"
	}
	if auth {
		p += "A"
	}
	return p
}
