package smtp

import (
	"errors"
	"time"

	"postern/gateway/smtp/data"
	"postern/gateway/smtp/reply"
)

// data takes a message by DATA (RFC 5321 section 4.1.1.4).
func (s *session) data([]byte) reply.Reply {
	if s.t.Body == "BINARYMIME" {
		return s.behind(replyNeedsBDAT)
	}
	if r := s.openBody(); !r.Zero() {
		return s.behind(r)
	}
	if s.w > s.r {
		s.happened(EventBehindDATA)
	}
	s.say(replyStart)
	s.verb = verbMessage
	s.send()
	if r := s.receive(); !r.Zero() || r.Close {
		s.giveUp(r)
		return r
	}
	return s.complete()
}

// behind refuses DATA. What came behind it may be a message from a client that
// didn't wait for the 354: it must not be taken for commands.
func (s *session) behind(r reply.Reply) reply.Reply {
	if s.w > s.r {
		s.happened(EventBehindDATA)
		return s.ended(EndProtocol, r)
	}
	return r
}

// openBody asks the handler for a sink. A refusal ends the transaction.
func (s *session) openBody() reply.Reply {
	sink, r := s.srv.handler.Data(s.ctx(), s.t)
	if r = sane(r); r.Code >= 300 || sink == nil {
		if sink != nil {
			sink.Abort()
		}
		r = r.Or(replyHandlerFault)
		s.giveUp(r)
		return r
	}
	cfg := &s.srv.cfg
	s.body = &intake{sink: sink, pool: s.pool, limit: cfg.MaxSize, header: data.Header{MaxSize: cfg.MaxHeader, MaxHops: cfg.MaxReceived}}
	return reply.Reply{}
}

// giveUp ends a transaction whose message didn't come whole.
func (s *session) giveUp(r reply.Reply) {
	if !r.Zero() {
		s.t.replies = []reply.Reply{r}
	}
	s.t.gone = s.broken
	s.reset()
}

// receive reads DATA to its end. The reply is zero when the end was seen.
func (s *session) receive() reply.Reply {
	scanner := data.Scanner{Normalize: s.srv.cfg.BareLF == BareLFNormalize}
	clock := s.newDataClock()
	wide := s.widen()
	defer func() { s.srv.memory.Free(wide) }()
	for {
		done := s.scan(&scanner)
		if scanner.Bare && !scanner.Normalize && s.body.fault.Zero() {
			s.body.fault = replyBareLF
		}
		if done {
			if s.t.BareLF = scanner.Bare; scanner.Bare {
				s.happened(EventBareLFMessage)
			}
			return reply.Reply{}
		}
		if s.body.flood() {
			return s.ended(EndProtocol, replyTooBig)
		}
		s.settle()
		if err := clock.fill(); err != nil {
			return s.cutOff(err)
		}
	}
}

// scan takes what was read of a message.
func (s *session) scan(scanner *data.Scanner) (done bool) {
	defer s.leave(s.enter())
	n, done := scanner.Scan(s.buffered(), s.body)
	s.r += n
	return done
}

// cutOff ends a session whose message never came to its end.
func (s *session) cutOff(err error) reply.Reply {
	switch {
	case isTimeout(err) && s.srv.cutting.Load():
		return s.ended(EndShutdown, replyShutdown)
	case isTimeout(err):
		return s.ended(EndTimeout, replyDataIdle)
	}
	return s.gone()
}

// dataClock gives a client its time for a message: DataTimeout for each block,
// and no more in all than MinDataRate allows. Only the client's time counts,
// not the sink's.
type dataClock struct {
	s      *session
	waited time.Duration
	got    int64
}

func (s *session) newDataClock() *dataClock { return &dataClock{s: s} }

// fill reads once.
func (c *dataClock) fill() error {
	start, before := time.Now(), c.s.w-c.s.r
	err := c.s.fillUntil(c.s.deadline(c.allowance()))
	c.got += int64(c.s.w - c.s.r - before)
	c.waited += time.Since(start)
	return err
}

// allowance is how long the next block may take.
func (c *dataClock) allowance() time.Duration {
	cfg := &c.s.srv.cfg
	if cfg.MinDataRate == 0 {
		return cfg.DataTimeout
	}
	earned := time.Duration(float64(c.got) / float64(cfg.MinDataRate) * float64(time.Second))
	return min(cfg.DataTimeout, max(0, cfg.DataTimeout+earned-c.waited))
}

// complete hands the whole message over and answers for it.
func (s *session) complete() reply.Reply {
	s.verb = verbMessage
	t, body := s.t, s.body
	body.flush()
	body.release()
	s.body = nil
	if !body.fault.Zero() {
		return s.refuse(t, body)
	}
	s.send() // the handler may take its time
	if s.r == s.w {
		s.release()
	}
	replies := s.srv.handler.Message(s.ctx(), t, body.sink)
	_, t.gone = peek(s.raw)
	if !s.conclude(t, replies) {
		return reply.Reply{Close: true}
	}
	return reply.Reply{}
}

// refuse answers a message that the engine itself can't let through.
func (s *session) refuse(t *Transaction, body *intake) reply.Reply {
	switch {
	case errors.Is(body.err, ErrSinkFull):
		s.srv.log.Warn("no room for a message", "client", s.client.Addr, "err", body.err)
	case body.err != nil:
		s.srv.log.Error("message could not be kept", "client", s.client.Addr, "err", body.err)
	}
	body.sink.Abort()
	if !s.conclude(t, []reply.Reply{body.fault}) {
		return reply.Reply{Close: true}
	}
	return reply.Reply{}
}

// conclude writes the replies to a message, one for SMTP, one for each
// recipient for LMTP (RFC 2033 section 4.2), and ends the transaction.
func (s *session) conclude(t *Transaction, replies []reply.Reply) (open bool) {
	n := 1
	if s.proto == LMTP {
		n = len(t.Recipients)
	}
	open = true
	for i := range n {
		r := messageReply(replies, i)
		t.replies = append(t.replies, r)
		if r.OK() && i == 0 {
			s.counts.messages++
		}
		if !s.answer(r) {
			open = false
		}
	}
	s.send()
	t.gone = t.gone || s.broken
	s.reset()
	return open
}

// messageReply is the i-th reply, the only one, or a 451: a handler that
// doesn't answer has not taken the message.
func messageReply(replies []reply.Reply, i int) reply.Reply {
	switch {
	case len(replies) == 1:
		i = 0
	case i >= len(replies):
		return replyHandlerFault
	}
	return sane(replies[i]).Or(replyHandlerFault)
}
