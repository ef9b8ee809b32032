package auth

import (
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	maxTTL      = time.Hour       // an answer is believed, whatever it says
	maxNegative = 5 * time.Minute // that there is none (RFC 2308 allows hours)
	maxCached   = 8 << 20         // octets of answers, about
	answerCost  = 200             // octets of an answer beside its records
)

// key is a question.
type key struct {
	name  string
	qtype uint16
}

// cache keeps answers as long as they may be kept. When it is full, those that
// are over go, then any.
type cache struct {
	mu      sync.Mutex
	answers map[key]cached
	octets  int
}

type cached struct {
	answer
	until time.Time
	cost  int
}

func (c *cache) get(k key, now time.Time) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[k]
	if !ok || !now.Before(a.until) {
		return answer{}, false
	}
	return a.answer, true
}

func (c *cache) put(k key, a answer, now time.Time) {
	if a.ttl <= 0 {
		return
	}
	e := cached{answer: a, until: now.Add(a.ttl), cost: answerCost + len(k.name)}
	for _, rr := range a.records {
		e.cost += dns.Len(rr)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[key]cached{}
	}
	c.drop(k)
	for pass := 0; c.octets+e.cost > maxCached && pass < 2; pass++ {
		for old, have := range c.answers { // in no order
			if c.octets+e.cost <= maxCached*7/8 {
				break
			}
			if pass > 0 || !now.Before(have.until) {
				c.drop(old)
			}
		}
	}
	c.answers[k] = e
	c.octets += e.cost
}

func (c *cache) drop(k key) {
	c.octets -= c.answers[k].cost
	delete(c.answers, k)
}

// negativeTTL is how long "there is none" may be remembered (RFC 2308, 5).
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(time.Duration(min(soa.Minttl, soa.Hdr.Ttl))*time.Second, maxNegative)
		}
	}
	return 0
}
