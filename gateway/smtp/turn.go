package smtp

import (
	"context"
	"io"
	"postern/gateway/smtp/reply"
)

// Collector is a Handler that has mail waiting for clients who come for it
// with TURN (RFC 821 section 3.8).
type Collector interface {
	// Collect opens the mail that waits for the client, which has signed in
	// and may collect from c.Collect. A 4xx or 5xx reply refuses the TURN.
	Collect(ctx context.Context, c *Client) (Collection, reply.Reply)
}

// Collection yields waiting mails one after the other.
type Collection interface {
	// Next is the next mail, or io.EOF. Each is settled or skipped before the
	// next is asked for.
	Next(ctx context.Context) (*Waiting, error)
	// Close ends the collection.
	Close() error
}

// Waiting is one mail to hand over. Exactly one of Settle and Skip is called.
type Waiting struct {
	From       Address
	Recipients []Address
	Size       int64 // octets of content
	UTF8       bool  // needs SMTPUTF8
	EightBit   bool  // needs 8BITMIME
	BareLF     bool  // has a lone CR or LF: goes by BDAT or not at all
	Binary     bool  // was BODY=BINARYMIME: needs BINARYMIME and CHUNKING
	RequireTLS bool  // needs REQUIRETLS (RFC 8689)
	Open       func(ctx context.Context) (io.ReadCloser, error)
	// Settle reports what the peer answered. The mail is the peer's where err
	// is nil and the code 2xx; a refusal of any recipient refuses the mail.
	// err is what broke before there was an answer; the code is 0 then.
	Settle func(ctx context.Context, code int, text string, err error)
	// Skip gives the mail back untouched: the peer can't take it, and why.
	Skip func(ctx context.Context, why string)
}

// turn swaps the roles: after our 250 the client greets, and we hand over what
// waits for it. The connection ends with our QUIT.
func (s *session) turn([]byte) reply.Reply {
	if s.w > s.r {
		return s.ended(EndProtocol, replyBehind)
	}
	mails, r := s.srv.collector.Collect(s.ctx(), &s.client)
	if r = sane(r); r.Code >= 300 {
		return r
	}
	if mails == nil {
		return replyHandlerFault
	}
	defer s.closeCollection(mails)
	s.say(replyTurning)
	s.send()
	s.turned = true
	if err := s.handOver(mails); err != nil {
		s.srv.log.Info("TURN ended early", "client", s.client.Addr, "auth", s.client.Auth, "err", err)
		return s.gone()
	}
	s.end = EndQuit
	return reply.Reply{Close: true}
}

func (s *session) closeCollection(c Collection) {
	if err := c.Close(); err != nil {
		s.srv.log.Error("collection failed to close", "auth", s.client.Auth, "err", err)
	}
}
