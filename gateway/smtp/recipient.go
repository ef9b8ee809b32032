package smtp

import (
	"postern/gateway/smtp/address"
	"postern/gateway/smtp/param"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// rcpt adds a recipient.
func (s *session) rcpt(arg []byte) reply.Reply {
	if s.full() {
		return replyTooManyRcpt
	}
	rcpt, r := s.resolved(arg)
	if r.Zero() {
		r = sane(s.srv.handler.Rcpt(s.ctx(), s.t, rcpt))
	}
	if r.Code < 300 && !s.hold(rcpt) {
		r = replyNoMemory
	}
	if r.Code >= 300 {
		return s.t.refuse(refusedAddress(rcpt, arg), r)
	}
	s.t.Recipients = append(s.t.Recipients, rcpt)
	s.state = stateRcpt
	return r.Or(replyRcpt)
}

// full reports whether the transaction has as many recipients as it may.
func (s *session) full() bool {
	return s.t != nil && reached(len(s.t.Recipients), s.srv.cfg.MaxRecipients)
}

// parseRecipient reads RCPT's argument; the reply is zero when it can be a
// recipient.
func (s *session) parseRecipient(arg []byte) (*Recipient, reply.Reply) {
	rest, ok := cutKeyword(arg, "TO:")
	if !ok {
		return nil, replyTo
	}
	to, params, f := address.ParsePath(rest, s.srv.cfg.manners())
	if r := s.checkRecipient(to, f); !r.Zero() {
		return nil, r
	}
	rcpt := &Recipient{Address: to}
	return rcpt, s.rcptParams(rcpt, params)
}

// checkRecipient is the reply to a path that can't be a recipient, zero where it can.
// <postmaster> alone needs no domain (RFC 5321 section 4.5.1).
func (s *session) checkRecipient(to Address, f address.Fault) reply.Reply {
	switch {
	case f != address.FaultNone:
		return pathReply(f, replyAddress)
	case to.Local == "" && to.Domain == "":
		return replyNullRcpt
	case to.Domain == "" && (to.Quoted || !text.IsWord([]byte(to.Local), "POSTMASTER")), s.srv.cfg.Strict && to.OddDots():
		return replyAddress
	case !s.t.UTF8 && !to.ASCII():
		return replyNoUTF8
	}
	return reply.Reply{}
}

// rcptParams reads the parameters of RCPT: those of RFC 3461.
func (s *session) rcptParams(r *Recipient, b []byte) reply.Reply {
	for len(b) > 0 {
		p, rest, ok := param.Next(b)
		switch {
		case !ok:
			return replyBadParam
		case p.Is("NOTIFY") && s.srv.cfg.DSN:
			if r.Notify != nil {
				return replyTwice
			}
			r.Notify, ok = param.Notify(p.Value)
		case p.Is("ORCPT") && s.srv.cfg.DSN:
			if r.ORcpt != "" {
				return replyTwice
			}
			r.ORcpt, ok = param.ORcpt(p.Value)
		default:
			return replyNoParam
		}
		if !ok {
			return replyBadParam
		}
		b = rest
	}
	return reply.Reply{}
}

// maxRefusedAddress is how much of an address that can't be read is noted.
const maxRefusedAddress = 320

// refusedAddress is the recipient's, or what stands where it should.
func refusedAddress(r *Recipient, arg []byte) string {
	if r != nil && r.Address.Local != "" {
		return r.Address.String()
	}
	rest, _ := cutKeyword(arg, "TO:")
	return string(rest[:min(len(rest), maxRefusedAddress)])
}
