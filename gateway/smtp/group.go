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
	maxGroup   = 50                    // recipients that are looked up at once
	flushAfter = 50 * time.Millisecond // then the replies that are due are written, though some look-ups still run
)

// lookedUp is a RCPT command of a pipelined group: its recipient was looked up
// while the command itself still waits in the buffer for its turn.
type lookedUp struct {
	arg   string // the command's argument, by which the command finds this again
	rcpt  *Recipient
	reply reply.Reply // what the argument is refused with; zero: it is a recipient
}

// resolved is the recipient that RCPT's argument names, looked up by the resolver.
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

// lookAhead reads the recipients that have arrived: that of this command, and those
// of the RCPT commands behind it in the buffer.
func (s *session) lookAhead(arg []byte) []lookedUp {
	room := maxGroup
	if limit := s.srv.cfg.MaxRecipients; limit > 0 {
		room = min(room, limit-len(s.t.Recipients))
	}
	var group []lookedUp
	for rest := s.buffered(); ; {
		rcpt, r := s.parseRecipient(arg)
		group = append(group, lookedUp{string(arg), rcpt, r})
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

// resolve looks the group's recipients up at once and waits for all of them; the
// replies to earlier commands don't wait with it.
func (s *session) resolve(group []lookedUp) {
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
