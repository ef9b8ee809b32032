package smtp

import (
	"postern/gateway/smtp/address"
	"postern/gateway/smtp/param"
	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// mail opens a transaction: MAIL, and RFC 821's SEND, SOML and SAML.
func (s *session) mail(arg []byte) reply.Reply {
	r := s.openTransaction(arg)
	if r.Code >= 400 {
		s.srv.handler.Refused(&s.client, s.verb, string(arg[:min(len(arg), maxRefusedAddress)]), r)
	}
	return r
}

func (s *session) openTransaction(arg []byte) reply.Reply {
	if s.srv.closing.Load() {
		return s.ended(EndShutdown, replyShutdown)
	}
	if reached(s.counts.messages, s.srv.cfg.MaxMessages) {
		return s.ended(EndLimit, replyEnough)
	}
	rest, ok := cutKeyword(arg, "FROM:")
	if !ok {
		return replyFrom
	}
	from, params, f := address.ParsePath(rest, s.srv.cfg.manners())
	if f != address.FaultNone {
		return pathReply(f, replySenderBad)
	}
	if from.Domain == "" && from.Local != "" && s.srv.cfg.Strict {
		return replySenderBad
	}
	t := &Transaction{Client: &s.client, Verb: s.verb, From: from}
	if r := s.mailParams(t, params); !r.Zero() {
		return r
	}
	if !t.UTF8 && !from.ASCII() {
		return replyNoUTF8
	}
	r := sane(s.srv.handler.Mail(s.ctx(), t))
	if r.Code >= 300 {
		return r
	}
	s.t, s.state = t, stateMail
	return r.Or(replySender)
}

// cutKeyword takes "FROM:" or "TO:" off, and the space that many put behind it.
func cutKeyword(b []byte, word string) (rest []byte, ok bool) {
	if len(b) < len(word) || !text.IsWord(b[:len(word)], word) {
		return nil, false
	}
	b = b[len(word):]
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b, true
}

// pathReply answers a path that can't be read.
func pathReply(f address.Fault, syntax reply.Reply) reply.Reply {
	switch f {
	case address.FaultBrackets:
		return replyPath
	case address.FaultLong:
		return replyPathLong
	}
	return syntax
}

// mailParams reads the parameters of MAIL.
func (s *session) mailParams(t *Transaction, b []byte) reply.Reply {
	var seen uint
	for len(b) > 0 {
		p, rest, ok := param.Next(b)
		if !ok {
			return replyBadParam
		}
		bit, r := s.mailParam(t, p)
		if !r.Zero() {
			return r
		}
		if seen&bit != 0 {
			return replyTwice
		}
		seen, b = seen|bit, rest
	}
	return reply.Reply{}
}

// mailParam reads one; bit tells it from the others.
func (s *session) mailParam(t *Transaction, p param.Param) (bit uint, r reply.Reply) {
	cfg := &s.srv.cfg
	ok := true
	switch {
	case p.Is("SIZE"):
		return 1 << 0, s.sizeParam(t, p)
	case p.Is("BODY"):
		return 1 << 1, bodyParam(t, p)
	case p.Is("SMTPUTF8"):
		bit, t.UTF8, ok = 1<<2, true, !p.HasValue
	case p.Is("RET") && cfg.DSN:
		bit, ok = 1<<3, true
		switch {
		case text.IsWord(p.Value, "FULL"):
			t.Ret = "FULL"
		case text.IsWord(p.Value, "HDRS"):
			t.Ret = "HDRS"
		default:
			ok = false
		}
	case p.Is("ENVID") && cfg.DSN:
		bit = 1 << 4
		t.EnvID, ok = param.Xtext(p.Value)
		ok = ok && p.HasValue && len(p.Value) <= param.MaxEnvID && param.Printable(t.EnvID)
	case p.Is("BY") && cfg.DeliverBy:
		bit, t.By, ok = 1<<5, string(p.Value), param.By(p.Value)
	case p.Is("REQUIRETLS") && s.client.TLS != nil:
		bit, t.RequireTLS, ok = 1<<6, true, !p.HasValue
	case p.Is("REQUIRETLS") && s.offersTLS():
		return 0, replyNeedTLS
	case p.Is("AUTH") && s.srv.auth != nil:
		bit = 1 << 7
		t.AuthParam, ok = param.Xtext(p.Value)
		ok = ok && p.HasValue && param.Printable(t.AuthParam)
	case p.Is("AUTH") && !cfg.Strict: // many clients send AUTH=<> to everybody
		bit = 1 << 7
	default:
		return 0, replyNoParam
	}
	if !ok {
		return bit, replyBadParam
	}
	return bit, reply.Reply{}
}

// sizeParam refuses what is announced to be too large before it is sent
// (RFC 1870 section 6.1).
func (s *session) sizeParam(t *Transaction, p param.Param) reply.Reply {
	n, ok := param.Number(p.Value)
	if !ok {
		return replyBadParam
	}
	if limit := s.srv.cfg.MaxSize; limit > 0 && n > limit {
		return replyTooBig
	}
	t.Size = n
	return reply.Reply{}
}

func bodyParam(t *Transaction, p param.Param) reply.Reply {
	for _, kind := range [...]string{"7BIT", "8BITMIME", "BINARYMIME"} {
		if text.IsWord(p.Value, kind) {
			t.Body = kind
			return reply.Reply{}
		}
	}
	if !p.HasValue {
		return replyBadParam
	}
	return replyBadValue
}
