package smtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
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
	turned     bool // by TURN: the peer is the server
	utf8       bool // the command allows UTF-8 in its reply
	asleep     bool // to be taken up by resume
	inExchange bool // of AUTH: lines may be long
	broken     bool // the output is dead: nothing more is written
	client     Client
	counts     struct{ errors, junk, refused, auth, messages int }
	cmd        *command     // the command under way, nil: unknown
	verb       string       // its name, or what stands for it in counts
	ends       time.Time    // the session's own clock
	due        time.Time    // of the command that a sleep waits for
	block      netip.Prefix // counted among the connections under this
	ahead      []asked      // recipients of the group under way that the resolver was asked about
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
func (s *session) step(line []byte, err error) Reply {
	s.cmd, s.verb, s.utf8 = nil, verbUnknown, false
	if err != nil {
		return s.lost(err)
	}
	return s.dispatch(line)
}

// lost says what a failed read of a command means.
func (s *session) lost(err error) Reply {
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

// ended closes with a reply and notes why.
func (s *session) ended(why End, r Reply) Reply {
	s.end = why
	return r.Closing()
}

// gone ends a session that has nobody left to answer.
func (s *session) gone() Reply {
	s.end, s.broken = EndGone, true
	return Reply{Close: true}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// answer writes, counts and logs a reply; open is false when it was the last.
func (s *session) answer(r Reply) (open bool) {
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
func (s *session) say(r Reply) {
	if s.broken {
		return
	}
	st := styleEnhanced
	switch {
	case s.verb == verbConnect && r.Code == 220, r.Code == 250 && isHello(s.verb):
		st = styleBare
	case s.utf8 || s.t != nil && s.t.UTF8:
		st = styleUTF8
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

// noted tells of what is no reply.
func (s *session) noted(e Event) {
	s.srv.observer.Noted(&s.client, e)
	s.srv.log.Debug("smtp event", "client", s.client.Addr, "event", e.String())
}

func (s *session) logReply(r Reply) {
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

// readLine reads a line and returns it without its end. The line is valid
// until the next read.
func (s *session) readLine() ([]byte, error) {
	if line, ok := s.takeLine(); ok {
		return s.trimLine(line)
	}
	s.send()
	if s.broken {
		return nil, io.ErrClosedPipe
	}
	if s.r == s.w && len(s.in) != smallBuffer {
		s.release()
	}
	deadline, err := s.nap(s.deadline(s.patience()))
	if err != nil {
		return nil, err
	}
	for {
		if line, ok := s.takeLine(); ok {
			return s.trimLine(line)
		}
		if b := s.buffered(); len(b) > s.lineLimit(b) {
			return nil, s.dropLine(deadline)
		}
		if s.notSMTP() {
			return nil, errLineFlood
		}
		if err := s.fillUntil(deadline); err != nil {
			return nil, err
		}
	}
}

// patience is how long a client may take for a command. A server that is
// nearly full has less of it, so that idle clients don't keep others out; a
// peer that has our mail in hand has all of it.
func (s *session) patience() time.Duration {
	cfg := &s.srv.cfg
	if s.srv.connections.crowded() && !s.turned {
		return min(cfg.CommandTimeout, cfg.CrowdedTimeout)
	}
	return cfg.CommandTimeout
}

// trimLine takes the line's end off. A bare LF ends a command line too: no
// message can be smuggled by it, since all of DATA is behind us.
func (s *session) trimLine(line []byte) ([]byte, error) {
	if len(line) > s.lineLimit(line) {
		return nil, errLineTooLong
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1], nil
	}
	s.noted(EventBareLFCommand)
	return line, nil
}

// dropLine reads an over-long line to its end.
func (s *session) dropLine(deadline time.Time) error {
	for dropped := 0; dropped < maxOverrun; {
		dropped += s.w - s.r
		s.r = s.w
		if err := s.fillUntil(deadline); err != nil {
			return err
		}
		if _, ok := s.takeLine(); ok {
			return errLineTooLong
		}
	}
	return errLineFlood
}

// notSMTP recognises a TLS hello, which has no line end to wait for.
func (s *session) notSMTP() bool {
	const tlsHandshake = 0x16
	if b := s.buffered(); s.state != stateGreet || len(b) == 0 || b[0] != tlsHandshake {
		return false
	}
	s.end = EndProtocol
	s.noted(EventCrossProtocol)
	return true
}

// fillUntil reads once, until the deadline at the latest. A closing server
// waits for nothing but the rest of what is under way, and at the end of its
// grace not for that either.
func (s *session) fillUntil(deadline time.Time) error {
	for {
		_ = s.raw.SetReadDeadline(deadline)
		if s.srv.closing.Load() && !s.busy() || s.srv.cutting.Load() {
			_ = s.raw.SetReadDeadline(past)
		}
		err := s.fill()
		if err == nil || !isTimeout(err) || !s.busy() || s.srv.cutting.Load() || !time.Now().Before(deadline) {
			return err
		}
	}
}

// busy: in the middle of a message, ours or the peer's.
func (s *session) busy() bool { return s.body != nil || s.turned }

// deadline is d from now, or the session's end.
func (s *session) deadline(d time.Duration) time.Time {
	t := time.Now().Add(d)
	if t.After(s.ends) {
		return s.ends
	}
	return t
}

// reset forgets the transaction (RFC 5321 section 4.1.1.5).
func (s *session) reset() {
	s.abort()
	s.letGo()
	s.t, s.ahead = nil, nil
	if s.state != stateGreet {
		s.state = stateReady
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

// finish is the session's end, a panic's too, or the beginning of a sleep.
func (s *session) finish() {
	if p := recover(); p != nil {
		s.panicked(p)
	} else if s.asleep {
		s.asleep = false
		go s.resume()
		return
	}
	s.abandon()
	s.send()
	s.hangUp()
	s.release()
	s.srv.connections.leaveClient(s.block)
	s.srv.observer.SessionEnded(&s.client, s.end)
	s.srv.forget(s)
}

// abandon aborts an open message, and survives a sink that panics.
func (s *session) abandon() {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p)
		}
	}()
	s.letGo()
	s.abort()
}

func (s *session) panicked(p any) {
	s.end = EndFault
	s.noted(EventPanic)
	s.srv.log.Error("smtp session panicked", "verb", s.verb, "panic", p, "stack", string(debug.Stack()))
	s.say(replyPanic)
}

// hangUp closes the connection, with TLS's own goodbye. Where the client may
// have more under way, what it sends is read for a moment, so that our last
// reply isn't lost to a reset.
func (s *session) hangUp() {
	half, ok := s.conn.(interface{ CloseWrite() error })
	if ok && !s.broken && (s.end != EndQuit || s.conn != s.raw) {
		ok = half.CloseWrite() == nil
		if ok && s.end != EndQuit && (!s.srv.closing.Load() || s.srv.cutting.Load()) {
			_ = s.raw.SetReadDeadline(time.Now().Add(lingerTime))
			_, _ = io.CopyN(io.Discard, onlyReader{s.raw}, maxLinger)
		}
	}
	_ = s.raw.Close()
}

// lingerTime is how long hangUp reads.
const lingerTime = 500 * time.Millisecond

// onlyReader hides a socket's other methods, so that io.CopyN takes the
// buffer that io.Discard has pooled.
type onlyReader struct{ io.Reader }

// turnAway refuses a connection that is one too many, on the raw socket even
// where TLS is due: there is no place to negotiate it.
func (s *session) turnAway() {
	s.end = EndCrowded
	_ = s.conn.SetDeadline(time.Now().Add(turnAwayTime))
	s.say(replyCrowded)
	_ = s.flush()
	_ = s.conn.Close()
	s.srv.observer.SessionEnded(&s.client, s.end)
}

// turnAwayTime bounds a write that the socket's empty buffer takes at once.
const turnAwayTime = 100 * time.Millisecond

// ctx is what handlers are called with: it ends with the server's grace.
func (s *session) ctx() context.Context { return s.srv.base }
