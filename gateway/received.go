package gateway

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"postern/gateway/mail"
	"postern/gateway/smtp"
)

// received renders our Received line (RFC 5321, 4.4), folded, CRLF at its end.
// It names the recipient only where there is one: with more it would disclose
// blind copies.
func received(e *mail.Envelope, domain string) string {
	var b strings.Builder
	b.Grow(256)
	b.WriteString("Received: from ")
	b.WriteString(commentSafe(e.Hello, "unknown"))
	if e.Client.IsValid() {
		b.WriteString(" (")
		if e.ClientName != "" {
			b.WriteString(commentSafe(e.ClientName, "unknown"))
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
		b.WriteString(commentSafe(e.To[0].Address, "unknown"))
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

// commentSafe keeps what a client said from breaking the line or its comments;
// empty stands for nothing.
func commentSafe(s, empty string) string {
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
func protocol(c *smtp.Client, utf8 bool) string {
	if !c.LMTP && !c.Extended {
		return "SMTP"
	}
	p := "ESMTP"
	switch {
	case c.LMTP && utf8:
		p = "UTF8LMTP"
	case c.LMTP:
		p = "LMTP"
	case utf8:
		p = "UTF8SMTP"
	}
	if c.TLS != nil {
		p += "S"
	}
	if c.Auth != "" {
		p += "A"
	}
	return p
}

// parse puts our trace header before the message, and parses the whole.
func (g *Gateway) parse(ctx context.Context, m *message, in *sink, removed string) error {
	m.env.Trace = g.trace(m.env, removed, startsFolded(mail.Without(m.data, m.env.Removed)))
	if len(m.env.Removed) == 0 {
		m.seen = in.Behind(m.env.Trace)
	}
	g.prepare(m)
	return g.deps.Dispatch.Open(ctx, m.mail)
}

// trace is the header fields that we put before the octets of DATA (RFC 5321, 4.4),
// frozen from here on: the verdict, what was removed, and where the mail came
// from. A message that begins with white space would be read as the folded rest
// of our last field, so that it gets a field of its own before it.
func (g *Gateway) trace(e *mail.Envelope, removed string, folded bool) string {
	header := removed + received(e, g.cfg.Domain)
	if e.Verdict != nil && e.Verdict.Header != "" {
		header = "Authentication-Results: " + strings.ReplaceAll(e.Verdict.Header, "; ", ";\r\n ") + "\r\n" + header
	}
	if folded {
		header += "X-Unnamed:\r\n"
	}
	return header
}

// startsFolded reports whether a message begins with white space.
func startsFolded(data mail.Source) bool {
	r, err := data.Open()
	if err != nil {
		return false // the parser will say so
	}
	defer r.Close()
	var first [1]byte
	n, _ := r.Read(first[:])
	return n == 1 && (first[0] == ' ' || first[0] == '\t')
}
