package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"postern/gateway/smtp/limit"
	"postern/gateway/smtp/reply"
)

// open takes a connection up to its greeting: PROXY header, limits, TLS, early
// talk, the handler's opinion.
//
//go:noinline
func (s *session) open() bool {
	if r := s.readProxy(); !r.Zero() || r.Close {
		return s.answer(r)
	}
	s.block = limit.Network(s.client.Addr.Addr())
	if !s.srv.connections.EnterClient(s.block) {
		s.block = netip.Prefix{}
		s.end = EndCrowded
		return s.answer(replyClientCrowded)
	}
	if s.proto == SMTPS && !s.secure() {
		return false
	}
	if r := s.earlyTalk(); !r.Zero() {
		return s.answer(r)
	}
	return s.greet()
}

// greet says who we are, or that the client isn't welcome.
func (s *session) greet() bool {
	r := sane(s.srv.handler.Connect(s.ctx(), &s.client))
	switch {
	case r.Code >= 400:
		if s.end == EndGone {
			s.end = EndRefused
		}
		return s.answer(r.Closing())
	case r.Zero() || len(r.Lines) == 0:
		r.Lines = []string{"Postern"}
	}
	name := "ESMTP "
	if s.proto == LMTP {
		name = "LMTP "
	}
	lines := append([]string{s.srv.cfg.Domain + " " + name + r.Lines[0]}, r.Lines[1:]...)
	return s.answer(reply.Reply{Code: 220, Lines: lines})
}

// earlyTalk catches a client that doesn't wait for the greeting: malware, or a
// web page that posts to us. Under TLS the client did speak first, and rightly.
func (s *session) earlyTalk() reply.Reply {
	if s.srv.cfg.AllowEarlyTalk || s.client.Unix || s.proto == SMTPS {
		return reply.Reply{}
	}
	talked := s.w > s.r
	if d := s.srv.cfg.GreetDelay; d > 0 && !talked {
		err := s.fillUntil(s.deadline(d))
		if err != nil && (!isTimeout(err) || s.srv.closing.Load()) {
			return s.lost(err)
		}
		talked = err == nil
	} else if !talked {
		talked, _ = peek(s.raw)
	}
	if !talked {
		return reply.Reply{}
	}
	s.happened(EventEarlyTalk)
	return s.ended(EndRefused, replyEarly)
}

// secure makes the handshake, with its own clock. What was read before it, as
// behind a PROXY header, is its beginning.
func (s *session) secure() bool {
	conn := tls.Server(s.under(), s.srv.tls)
	ctx, cancel := context.WithTimeout(s.ctx(), s.srv.cfg.HandshakeTimeout)
	defer cancel()
	_ = s.raw.SetDeadline(time.Time{})
	if err := conn.HandshakeContext(ctx); err != nil {
		s.end, s.broken = EndTLS, true
		s.happened(EventTLSFailed)
		s.srv.log.Info("TLS handshake failed", "client", s.client.Addr, "err", err)
		return false
	}
	state := conn.ConnectionState()
	s.conn, s.client.TLS = conn, &state
	return true
}

// under is the socket with what was read of it and not consumed in front: the
// next layer reads on where this one stopped.
func (s *session) under() net.Conn {
	if s.r == s.w {
		return s.raw
	}
	c := &continued{Conn: s.raw, first: bytes.Clone(s.buffered())}
	s.release()
	return c
}

// continued is a connection whose first octets were read already.
type continued struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (c *continued) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}
