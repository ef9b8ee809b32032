package mail

import (
	"strconv"
	"strings"
	"time"
)

// ReturnBy is when the sender wants the mail back that wasn't delivered by then:
// DELIVERBY in mode R (RFC 2852, 4); false where it didn't ask for that.
func (e *Envelope) ReturnBy() (time.Time, bool) { return e.deadline('R') }

// TellBy is when the sender wants to be told of a mail that wasn't delivered by
// then and goes on to be tried: mode N. It may be before the mail was received.
func (e *Envelope) TellBy() (time.Time, bool) { return e.deadline('N') }

// deadline reads "120;R", with a T where the way is traced.
func (e *Envelope) deadline(mode byte) (time.Time, bool) {
	if e.DSN == nil {
		return time.Time{}, false
	}
	seconds, rest, _ := strings.Cut(e.DSN.By, ";")
	n, err := strconv.Atoi(seconds)
	if err != nil || rest == "" || rest[0]|0x20 != mode|0x20 {
		return time.Time{}, false
	}
	return e.Received.Add(time.Duration(n) * time.Second), true
}
