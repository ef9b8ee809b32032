package gateway

import (
	"context"
	"errors"
	"fmt"
	"postern/gateway/smtp/reply"
	"slices"
	"syscall"

	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/spool"
	"postern/retry"
)

// errAskFor is the cause of a context that ends after AskFor.
var errAskFor = fmt.Errorf("the time that a sender may wait for webhooks is over: %w", context.DeadlineExceeded)

// sink takes a message's octets in: a spool, and its room in the queue.
type sink struct {
	*spool.Spool
	reserved retry.Reservation // with ACCEPT=queue; nil: none
}

// Write implements smtp.Sink.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.Spool.Write(b)
	if errors.Is(err, spool.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		err = errors.Join(smtp.ErrSinkFull, err)
	}
	return n, err
}

// Abort implements smtp.Sink.
func (s *sink) Abort() {
	if s.reserved != nil {
		s.reserved.Release()
	}
	s.Close()
}

// Data implements smtp.Handler. With ACCEPT=queue a full queue refuses the mail
// before its first octet.
func (g *Gateway) Data(ctx context.Context, t *smtp.Transaction) (smtp.Sink, reply.Reply) {
	s := &sink{}
	if g.cfg.QueueFirst && mail.Verb(t.Verb) != mail.VerbSend {
		reserved, err := g.queue.engine.Reserve(ctx, max(t.Size, 1))
		if err != nil {
			return nil, storeFailure(err)
		}
		s.reserved = reserved
	}
	var err error
	if s.Spool, err = g.deps.Spooler.New(t.From.String(), t.Size); err != nil {
		if s.reserved != nil {
			s.reserved.Release()
		}
		return nil, replySpoolFull
	}
	return s, reply.Reply{}
}

// Message implements smtp.Handler, all that happens between the last octet and
// the reply: the message is checked and parsed, delivered, decided about, stored
// where it must wait, and answered.
func (g *Gateway) Message(ctx context.Context, t *smtp.Transaction, s smtp.Sink) []reply.Reply {
	in := s.(*sink)
	defer in.Abort()
	defer g.deps.Fault(FaultDecided)
	g.deps.Fault(FaultSpooled)
	in.Done()
	came := g.deps.Now()
	ctx, cancel := context.WithTimeoutCause(g.within(ctx, t), g.cfg.AskFor, errAskFor)
	defer cancel()
	if in.reserved != nil && in.Size() > t.Size {
		in.reserved.Release() // the client announced less, or nothing: what it sent is reserved anew
		in.reserved = nil
	}
	m, refusal := g.check(ctx, t, in, came)
	if !refusal.Zero() {
		g.deps.Observer.Received(m.env, refusal.Code, g.deps.Now().Sub(came))
		return []reply.Reply{refusal}
	}
	t.Data = m
	defer m.mail.Release()
	g.deps.Fault(FaultParsed)
	decided := g.deliverFresh(ctx, m, in.reserved)
	g.deps.Observer.Received(m.env, m.reply(decided[0]).Code, g.deps.Now().Sub(came))
	if !m.lmtp {
		return []reply.Reply{m.reply(decided[0])}
	}
	replies := make([]reply.Reply, 0, len(t.Recipients))
	for _, r := range t.Recipients {
		to := r.Data.(dispatch.Recipient)
		i := slices.IndexFunc(decided, func(p replyGroup) bool { return p.has(to.Address) })
		replies = append(replies, m.reply(decided[i]))
	}
	return replies
}

// reply is the group's, the usual 250 where no webhook asked for another 2xx.
func (m *message) reply(p replyGroup) reply.Reply {
	if p.reply.Zero() {
		return replyAccepted(m.env.ID)
	}
	return p.reply
}
