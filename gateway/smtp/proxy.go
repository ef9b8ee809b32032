package smtp

import (
	"errors"
	"postern/gateway/smtp/reply"

	"postern/gateway/smtp/proxyproto"
)

// readProxy takes the header off where one is due, and makes its addresses
// the client's.
func (s *session) readProxy() reply.Reply {
	if s.client.Unix || !s.fromProxy() {
		return reply.Reply{}
	}
	deadline := s.deadline(s.srv.cfg.ProxyTimeout)
	for {
		h, n, err := proxyproto.Parse(s.buffered())
		switch {
		case err == nil:
			s.r += n
			s.trust(h)
			return reply.Reply{}
		case !errors.Is(err, proxyproto.ErrShort):
			s.happened(EventCrossProtocol)
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

func (s *session) trust(h proxyproto.Header) {
	if h.Source.IsValid() {
		s.client.Addr, s.client.Local = h.Source, h.Destination
	}
	s.client.TLS = h.TLS
}
