package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// victim is something that is killed or cut.
type victim struct {
	name    string
	replica int           // who needs it; -1: all
	longest time.Duration // that it stays away
	begin   func() (mend func())
}

// victims are all that can fail. What only keeps bodies from being read or
// written never makes an outcome unknown.
func (c *cluster) victims() []victim {
	const nobody = -2
	all := []victim{
		{"database", -1, 2 * time.Second, func() func() {
			c.db.Kill()
			return func() { must(c.db.Start()) }
		}},
		{"object store", nobody, 3 * time.Second, func() func() {
			c.bodies.Kill()
			return func() { must(c.bodies.Start()) }
		}},
	}
	for _, r := range c.replicas {
		all = append(all,
			victim{"replica", r.number, time.Second, func() func() {
				r.kill()
				return func() { must(r.start()) }
			}},
			victim{"way to the database, cut", r.number, 3 * time.Second, r.db.sever},
			victim{"way to the database, frozen", r.number, 4 * time.Second, r.db.freeze},
			victim{"way to the object store, cut", nobody, 3 * time.Second, r.s3.sever},
			victim{"way to the object store, frozen", nobody, 4 * time.Second, r.s3.freeze})
	}
	return all
}

// pick chooses a victim: replicas most of all, then the servers, then the ways to
// them.
func pick(r *rand.Rand) int {
	const ofReplica = 5
	replica := 2 + ofReplica*r.IntN(replicas)
	switch dice := r.Float64(); {
	case dice < 0.35:
		return replica
	case dice < 0.5:
		return 0
	case dice < 0.65:
		return 1
	}
	return replica + 1 + r.IntN(ofReplica-1)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// havoc kills and cuts one thing after the other, several at once, and mends them;
// it says how many of each.
func (c *cluster) havoc(kills int, every time.Duration, r *rand.Rand) string {
	all := c.victims()
	count := map[string]int{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	away := map[int]bool{}
	done := 0
	for done < kills {
		time.Sleep(time.Duration(float64(every) * (0.5 + r.Float64())))
		i := pick(r)
		mu.Lock()
		taken := away[i]
		away[i] = true
		mu.Unlock()
		if taken {
			continue
		}
		v := all[i]
		mended := c.book.broken(v.replica)
		mend := v.begin()
		count[v.name]++
		done++
		rest := time.Duration(r.Int64N(int64(v.longest)))
		wg.Go(func() {
			time.Sleep(rest)
			mend()
			mended()
			mu.Lock()
			away[i] = false
			mu.Unlock()
		})
	}
	wg.Wait()
	return fmt.Sprintf("%d kills: %v", done, count)
}
