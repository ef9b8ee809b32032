package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// good clients send small mails at a steady pace, each over a connection of
// its own: what an ordinary sender notices.
const (
	goodClients = 4
	goodPace    = 100 * time.Millisecond // of each client
	goodLimit   = 60 * time.Second       // then a mail counts as not answered
)

// goodStats is what became of the good mails.
type goodStats struct {
	sent, ok int
	took     []time.Duration // of those answered 250
	other    map[string]int
}

func (g *goodStats) share() float64 {
	if g.sent == 0 {
		return 0
	}
	return float64(g.ok) / float64(g.sent)
}

func (g *goodStats) p(percent int) time.Duration {
	if len(g.took) == 0 {
		return goodLimit
	}
	slices.Sort(g.took)
	return g.took[min(len(g.took)-1, len(g.took)*percent/100)]
}

// goodTraffic sends until stop closes.
func goodTraffic(addr string, stop <-chan struct{}) goodStats {
	var mu sync.Mutex
	all := goodStats{other: map[string]int{}}
	var wg sync.WaitGroup
	for i := range goodClients {
		wg.Go(func() {
			for n := 0; ; n++ {
				began := time.Now()
				code, err := sendGood(addr, fmt.Sprintf("127.1.0.%d", i+1), n)
				mu.Lock()
				all.sent++
				switch {
				case err != nil:
					all.other[err.Error()]++
				case code == 250:
					all.ok++
					all.took = append(all.took, time.Since(began))
				default:
					all.other[fmt.Sprint(code)]++
				}
				mu.Unlock()
				select {
				case <-stop:
					return
				case <-time.After(goodPace - min(goodPace, time.Since(began))):
				}
			}
		})
	}
	wg.Wait()
	return all
}

func sendGood(addr, from string, n int) (int, error) {
	c, err := dial(addr, from)
	if err != nil {
		if r, ok := err.(*replied); ok {
			return r.code, nil
		}
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(goodLimit))
	body := fmt.Sprintf("From: Ann <a@client.test>\r\nTo: b@in.test\r\nSubject: hello %d\r\nMessage-ID: <%s-%d@client.test>\r\n\r\nA few words.\r\n", n, from, n)
	return c.send("b@in.test", 0, []byte(body))
}
