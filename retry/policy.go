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
	MaxAge   time.Duration // given up after so long
	Jitter   float64       // waits vary by this share either way
}

// DefaultPolicy waits 5 s, 15 s, 45 s, … 1 h for three days: about 78 attempts.
func DefaultPolicy() Policy {
	return Policy{First: 5 * time.Second, Factor: 3, MaxDelay: time.Hour, MaxAge: 72 * time.Hour, Jitter: 0.2}
}

// Next says how long to wait after the attempt-th attempt (1 is the first).
// left is what remains of the delivery's life: the wait goes to its end at
// most, where the last attempt is made, and dead is true once nothing remains.
// after is the receiver's Retry-After, 0 none: it raises the wait, up to
// MaxAfter. rnd in [0,1) picks the jitter.
func (p Policy) Next(attempt int, left, after time.Duration, rnd float64) (wait time.Duration, dead bool) {
	if left <= 0 {
		return 0, true
	}
	return min(max(p.delay(attempt, rnd), min(after, MaxAfter)), left), false
}

func (p Policy) delay(attempt int, rnd float64) time.Duration {
	d := float64(p.First) * math.Pow(p.Factor, float64(max(attempt, 1)-1))
	d = min(d, float64(p.MaxDelay)) * (1 - p.Jitter + 2*p.Jitter*rnd)
	return time.Duration(d)
}
