package smtp

import "postern/gateway/smtp/reply"

// starttls moves the session into TLS (RFC 3207). Octets that came behind the
// command are somebody else's: they end the session, and are never answered
// inside TLS (CVE-2011-0411). What was said in the clear, an open transaction
// too, is forgotten (section 4.2).
func (s *session) starttls([]byte) reply.Reply {
	if s.client.TLS != nil {
		return replyOrder
	}
	if s.w > s.r {
		s.happened(EventBehindSTARTTLS)
		return s.ended(EndProtocol, replyBehind)
	}
	s.say(replyTLSGo)
	s.send()
	s.release()
	if s.broken || !s.secure() {
		return reply.Reply{Close: true}
	}
	s.reset()
	s.state = stateGreet
	s.client.Hello, s.client.Extended, s.client.Auth, s.client.Collect = "", false, "", nil
	return reply.Reply{}
}
