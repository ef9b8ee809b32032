package directory

import (
	"sync"
	"time"
)

// cache keeps answers until they are stale. When it is full it forgets
// arbitrary ones: asking again is cheap.
type cache struct {
	mu  sync.Mutex
	max int
	m   map[string]entry
}

type entry struct {
	r     response
	until time.Time
}

func newCache(size int) *cache { return &cache{max: size, m: map[string]entry{}} }

func (c *cache) get(key string, now time.Time) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[key]
	if !ok || !now.Before(e.until) {
		delete(c.m, key)
		return response{}, false
	}
	return e.r, true
}

func (c *cache) put(key string, r response, until time.Time, keep time.Duration) {
	if keep <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.m {
		if len(c.m) < c.max {
			break
		}
		delete(c.m, old)
	}
	c.m[key] = entry{r, until}
}
