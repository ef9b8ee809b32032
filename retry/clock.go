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

// SteadyClock returns a clock that reads like wall (time.Now) but doesn't jump
// with it while the process runs. wall's times must carry Go's monotonic
// reading.
func SteadyClock(wall func() time.Time) func() time.Time {
	var mu sync.Mutex
	last := wall()
	steady := last.Round(0)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now := wall()
		steady = steer(steady, now.Round(0), now.Sub(last))
		last = now
		return steady
	}
}

// steer moves the steady time by what has passed and towards the wall's.
func steer(steady, wall time.Time, passed time.Duration) time.Time {
	steady = steady.Add(passed)
	off := wall.Sub(steady)
	if off.Abs() <= stepFollowed {
		return wall
	}
	step := passed / catchUp
	if off < 0 {
		step = -step
	}
	return steady.Add(step)
}
