package smtp

import (
	"io"
	"time"
)

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
	if s.srv.connections.Crowded() && !s.turned {
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
	s.happened(EventBareLFCommand)
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
	s.happened(EventCrossProtocol)
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

// busy reports whether a message is under way, ours or the peer's.
func (s *session) busy() bool { return s.body != nil || s.turned }

// deadline is d from now, or the session's end.
func (s *session) deadline(d time.Duration) time.Time {
	t := time.Now().Add(d)
	if t.After(s.ends) {
		return s.ends
	}
	return t
}
