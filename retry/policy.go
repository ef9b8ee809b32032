package retry

import (
	"math"
	"time"
)

// MaxAfter is the longest that a Retry-After can hold a delivery back, and so
// the farthest from now that any delivery is ever due.
const MaxAfter = 6 * time.Hour

// Policy says when a delivery is tried again and when it is given up.
type Policy struct {
	First    time.Duration // wait after the first attempt
	Factor   float64       // each further wait is so many times longer
	MaxDelay time.Duration // no wait is longer, jitter aside
	MaxAge   time.Duration // given up when so old
	Jitter   float64       // waits vary by this share either way
}

// DefaultPolicy waits 5 s, 15 s, 45 s, … 1 h for three days: about 78 attempts.
func DefaultPolicy() Policy {
	return Policy{First: 5 * time.Second, Factor: 3, MaxDelay: time.Hour, MaxAge: 72 * time.Hour, Jitter: 0.2}
}

// Next says when to try again after the attempt-th attempt (1 is the first)
// ended at now. after is the receiver's Retry-After, 0 none: it raises the
// wait, up to MaxAfter. rnd in [0,1) picks the jitter. dead is true once the
// delivery's age is used up; nothing is due after that.
func (p Policy) Next(attempt int, received, now time.Time, after time.Duration, rnd float64) (due time.Time, dead bool) {
	end := received.Add(p.MaxAge)
	if !now.Before(end) {
		return time.Time{}, true
	}
	due = now.Add(max(p.delay(attempt, rnd), min(after, MaxAfter)))
	if due.After(end) {
		due = end
	}
	return due, false
}

func (p Policy) delay(attempt int, rnd float64) time.Duration {
	d := float64(p.First) * math.Pow(p.Factor, float64(max(attempt, 1)-1))
	d = min(d, float64(p.MaxDelay)) * (1 - p.Jitter + 2*p.Jitter*rnd)
	return time.Duration(d)
}
