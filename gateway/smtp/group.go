package smtp

import (
	"bytes"
	"context"
	"postern/gateway/smtp/reply"
	"sync"
	"time"

	"postern/gateway/text"
)

// Resolver is asked about each recipient before Handler.Rcpt, where the answer
// may take its time. The recipients of one pipelined group are asked about at
// once, so that they wait together.
type Resolver interface {
	// Resolve may set r.Data, for Rcpt to find, and nothing else.
	Resolve(ctx context.Context, t *Transaction, r *Recipient)
}

// WithResolver sets who is asked about recipients before the handler.
func WithResolver(r Resolver) Option { return func(s *Server) { s.resolver = r } }

const (
	maxGroup   = 50                    // recipients that are asked about at once
	flushAfter = 50 * time.Millisecond // replies that are due wait no longer for one that isn't
)

// asked is a RCPT of a group that was asked about before its turn.
type asked struct {
	arg   string // of the command: who comes with another is not meant
	rcpt  *Recipient
	reply reply.Reply // of what can't be a recipient
}

// resolved is the recipient that RCPT's argument names, the resolver asked.
func (s *session) resolved(arg []byte) (*Recipient, reply.Reply) {
	if s.srv.resolver == nil {
		return s.parseRecipient(arg)
	}
	if len(s.ahead) == 0 || s.ahead[0].arg != string(arg) {
		s.ahead = s.lookAhead(arg)
		s.resolve(s.ahead)
	}
	first := s.ahead[0]
	s.ahead = s.ahead[1:]
	return first.rcpt, first.reply
}

// lookAhead reads the recipients that are here already: this one, and those of
// the commands behind it.
func (s *session) lookAhead(arg []byte) []asked {
	room := maxGroup
	if limit := s.srv.cfg.MaxRecipients; limit > 0 {
		room = min(room, limit-len(s.t.Recipients))
	}
	var group []asked
	for rest := s.buffered(); ; {
		rcpt, r := s.parseRecipient(arg)
		group = append(group, asked{string(arg), rcpt, r})
		line, behind, ok := bytes.Cut(rest, []byte("\n"))
		if !ok || len(group) >= room {
			return group
		}
		verb, next := splitCommand(line)
		if !text.IsWord(verb, "RCPT") {
			return group
		}
		arg, rest = next, behind
	}
}

// resolve asks about a group at once and waits for all answers; the replies
// that are due don't wait along.
func (s *session) resolve(group []asked) {
	var all sync.WaitGroup
	for i := range group {
		if !group[i].reply.Zero() {
			continue
		}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					s.srv.log.Error("asking about a recipient panicked", "panic", p)
					group[i].reply = replyHandlerFault
				}
			}()
			s.srv.resolver.Resolve(s.ctx(), s.t, group[i].rcpt)
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	late := time.NewTimer(flushAfter)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		s.send()
		<-done
	}
}
