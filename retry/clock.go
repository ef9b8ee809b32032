package retry

import (
	"sync"
	"time"
)

// Steps of the wall clock up to stepFollowed are followed at once; of larger
// ones a tenth of the time that passes is caught up, so that a clock set wrong
// by a day neither expires the whole queue nor holds it back.
const (
	stepFollowed = time.Minute
	catchUp      = 10
)

// Clock reads like the wall clock but doesn't jump with it while the process
// runs: one for the whole program, so that what one part calls now is now for
// all. It is safe for concurrent use.
type Clock struct {
	wall   func() time.Time
	parted func(off time.Duration)

	mu     sync.Mutex
	last   time.Time // when it was read, for its monotonic reading
	steady time.Time
	off    time.Duration
}

// NewClock starts a clock at wall (time.Now, but for tests); what passes from then
// on is measured by the system's monotonic clock. parted, nil for none, is called
// when the wall clock was set away from ours, with how far, and with 0 when they
// agree again; it must not call back.
func NewClock(wall func() time.Time, parted func(off time.Duration)) *Clock {
	if parted == nil {
		parted = func(time.Duration) {}
	}
	return &Clock{wall: wall, parted: parted, last: time.Now(), steady: wall().Round(0)}
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, before := time.Now(), c.off
	c.steady, c.off = steer(c.steady, c.wall().Round(0), now.Sub(c.last))
	c.last = now
	if (before == 0) != (c.off == 0) || (c.off-before).Abs() > stepFollowed {
		c.parted(c.off)
	}
	return c.steady
}

// Off is how far the wall clock is ahead of ours; below zero it is behind.
func (c *Clock) Off() time.Duration {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}

// SteadyClock is a Clock of its own.
func SteadyClock(wall func() time.Time) func() time.Time { return NewClock(wall, nil).Now }

// steer moves the steady time on by what has passed, and towards the wall's time;
// it returns how far the wall is still ahead.
func steer(steady, wall time.Time, passed time.Duration) (time.Time, time.Duration) {
	steady = steady.Add(passed)
	off := wall.Sub(steady)
	if off.Abs() <= stepFollowed {
		return wall, 0
	}
	step := passed / catchUp
	if off < 0 {
		step = -step
	}
	return steady.Add(step), off - step
}
