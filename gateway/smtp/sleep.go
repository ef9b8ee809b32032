package smtp

import (
	"errors"
	"time"
)

// Sleep: a client that is silent for a while costs as little as can be. Its
// session gives its buffers back and leaves its goroutine, whose stack the
// commands have grown and which never shrinks to its first size; a new one
// waits until the socket is readable, and then takes the session up.

// napTime is how long a session waits awake: longer than most round trips,
// since to wake costs a few microseconds, and short enough that of thousands
// of clients who connect and wait few are awake at once.
const napTime = 200 * time.Millisecond

// errAsleep takes a session out of its loop.
var errAsleep = errors.New("smtp: asleep")

// nap waits awake for the beginning of a line, and says errAsleep when it
// doesn't come. The deadline is the command's, a slept-through part included.
func (s *session) nap(deadline time.Time) (time.Time, error) {
	if !s.due.IsZero() { // just woken
		deadline, s.due = s.due, time.Time{}
		return deadline, nil
	}
	soon := time.Now().Add(napTime)
	if s.inExchange || s.turned || s.w > s.r || !canWait(s.raw) || !soon.Before(deadline) {
		return deadline, nil
	}
	err := s.fillUntil(soon)
	if err != nil && isTimeout(err) && !time.Now().Before(soon) && !s.srv.closing.Load() {
		s.release()
		s.asleep, s.due = true, deadline
		return deadline, errAsleep
	}
	return deadline, err
}

// resume is the rest of a session's life.
func (s *session) resume() {
	defer s.finish()
	if s.slept(s.sleep()) {
		s.loop()
	}
}

// sleep waits until the socket has something to read. Its frames are few and
// small: they are what an idle connection costs.
func (s *session) sleep() error {
	for {
		_ = s.raw.SetReadDeadline(s.due)
		if s.srv.closing.Load() && !s.busy() {
			_ = s.raw.SetReadDeadline(past)
		}
		err := waitReadable(s.raw)
		if err == nil || !isTimeout(err) || !s.busy() || !time.Now().Before(s.due) {
			return err
		}
	}
}

// slept answers a sleep that nothing ended.
//
//go:noinline
func (s *session) slept(err error) bool {
	return err == nil || s.answer(s.step(nil, err))
}
