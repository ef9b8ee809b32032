package smtp

import (
	"io"
	"runtime/debug"
	"time"
)

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
	s.srv.connections.LeaveClient(s.block)
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
	if s.t != nil {
		s.t.gone = s.end != EndQuit
		s.endTransaction()
	}
}

func (s *session) panicked(p any) {
	s.end = EndFault
	s.happened(EventPanic)
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
