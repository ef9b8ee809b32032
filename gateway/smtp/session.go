package smtp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"postern/gateway/smtp/reply"
	"time"
)

// state is where a session stands; commands name the states they are in order in.
type state uint8

const (
	stateGreet state = 1 << iota // no HELO, EHLO or LHLO yet
	stateReady                   // between transactions
	stateMail                    // MAIL given, no recipient accepted
	stateRcpt                    // a recipient accepted
	stateBdat                    // a BDAT chunk taken, LAST to come
)

// session is one connection. All of it belongs to the session's goroutine,
// but raw, on which Shutdown sets a deadline.
type session struct {
	wire
	srv        *Server
	raw        net.Conn // the socket under wire.conn, the same without TLS
	proto      Protocol
	state      state
	end        End
	turned     bool // by TURN: the client has become the server, and we send
	utf8       bool // the command said that its reply may be UTF-8
	asleep     bool // to be taken up by resume
	inExchange bool // of AUTH: lines may be long
	broken     bool // the output is dead: nothing more is written
	client     Client
	claims     string // the user name of the AUTH exchange under way
	counts     struct{ errors, junk, refused, auth, messages int }
	cmd        *command     // the command under way, nil: unknown
	verb       string       // its name, or what stands for it in counts
	ends       time.Time    // when the session is over, whatever it does (SessionTimeout)
	due        time.Time    // of the command that a sleep waits for
	block      netip.Prefix // the client's network, under which the connection is counted
	ahead      []lookedUp   // recipients of the pipelined group under way, looked up before their turn
	t          *Transaction // nil outside a transaction
	body       *intake      // of the message under way, until the handler has it
}

func newSession(srv *Server, conn net.Conn, p Protocol) *session {
	s := &session{wire: wire{conn: conn, pool: srv.pool}, srv: srv, raw: conn, proto: p, state: stateGreet, end: EndGone, verb: verbConnect}
	s.client.LMTP = p == LMTP
	s.client.Addr, s.client.Local = addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	_, s.client.Unix = conn.LocalAddr().(*net.UnixAddr)
	return s
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// serve is the session's life, up to its first sleep (sleep.go).
func (s *session) serve() {
	defer s.finish()
	s.ends = time.Now().Add(s.srv.cfg.SessionTimeout)
	if s.open() {
		s.loop()
	}
}

// loop answers one command after the other until a reply closes or the client
// is silent for so long that the session goes to sleep.
func (s *session) loop() {
	for {
		line, err := s.readLine()
		if err == errAsleep {
			return
		}
		if !s.answer(s.step(line, err)) {
			return
		}
	}
}

// step makes a reply of what was read.
func (s *session) step(line []byte, err error) reply.Reply {
	s.cmd, s.verb, s.utf8 = nil, verbUnknown, false
	if err != nil {
		return s.lost(err)
	}
	return s.dispatch(line)
}

// lost is the reply to a client whose command could not be read.
func (s *session) lost(err error) reply.Reply {
	switch {
	case errors.Is(err, errLineTooLong):
		return replyLineTooLong
	case errors.Is(err, errLineFlood):
		return replyLineTooLong.Closing()
	case isTimeout(err) && s.srv.closing.Load():
		return s.ended(EndShutdown, replyShutdown)
	case isTimeout(err):
		return s.ended(EndTimeout, replyIdle)
	}
	return s.gone()
}

// ended is the reply that closes the session; why is for metrics.
func (s *session) ended(why End, r reply.Reply) reply.Reply {
	s.end = why
	return r.Closing()
}

// gone ends a session that has nobody left to answer.
func (s *session) gone() reply.Reply {
	s.end, s.broken = EndGone, true
	return reply.Reply{Close: true}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// answer writes, counts and logs a reply; open is false when it was the last.
func (s *session) answer(r reply.Reply) (open bool) {
	if r.Zero() {
		return !r.Close
	}
	r = s.limit(r)
	s.say(r)
	if r.Close || r.Code == 421 {
		if s.end == EndGone && !s.broken {
			s.end = EndHandler
		}
		return false
	}
	return true
}

// say is the one place where replies go out.
func (s *session) say(r reply.Reply) {
	if s.broken {
		return
	}
	st := reply.StyleEnhanced
	switch {
	case s.verb == verbConnect && r.Code == 220, r.Code == 250 && isHello(s.verb):
		st = reply.StyleBare
	case s.utf8 || s.t != nil && s.t.UTF8:
		st = reply.StyleUTF8
	}
	s.put(r, st)
	s.srv.observer.Replied(&s.client, s.verb, r.Code)
	if s.srv.log.Enabled(s.srv.base, slog.LevelDebug) {
		s.logReply(r)
	}
	if s.pending() > flushAt/2 {
		s.send()
	}
}

// happened counts and logs an event.
func (s *session) happened(e Event) {
	s.srv.observer.Happened(&s.client, e)
	s.srv.log.Debug("smtp event", "client", s.client.Addr, "event", e.String())
}

func (s *session) logReply(r reply.Reply) {
	s.srv.log.Debug("smtp reply", "client", s.client.Addr, "verb", s.verb, "code", r.Code, "enhanced", r.Enhanced)
}

// send writes what waits to be written. A client that doesn't take it is gone.
func (s *session) send() {
	if s.pending() == 0 || s.broken {
		return
	}
	_ = s.raw.SetWriteDeadline(time.Now().Add(s.srv.cfg.WriteTimeout))
	if err := s.flush(); err != nil {
		s.broken = true
	}
}

// reset forgets the transaction (RFC 5321 section 4.1.1.5).
func (s *session) reset() {
	s.abort()
	s.letGo()
	s.ahead = nil
	s.endTransaction()
	if s.state != stateGreet {
		s.state = stateReady
	}
}

// endTransaction tells the handler, once.
func (s *session) endTransaction() {
	if t := s.t; t != nil {
		s.t = nil
		s.srv.handler.Ended(t, t.replies, t.gone)
	}
}

// abort drops a message that the handler doesn't have yet.
func (s *session) abort() {
	if s.body != nil {
		body := s.body
		s.body = nil
		body.release()
		body.sink.Abort()
	}
}

// ctx is what handlers are called with: it ends with the server's grace.
func (s *session) ctx() context.Context { return s.srv.base }
