package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// account is what became of every mail, and what was broken when.
type account struct {
	mu     sync.Mutex
	mails  map[int]*letter
	faults []fault
}

// letter is a mail.
type letter struct {
	size     int
	accepted time.Time // answered 250
	tries    int
	unknown  bool // a sender or the webhook saw a connection break
	taken    []delivery
	damaged  bool
}

// delivery is a time that the webhook took a mail.
type delivery struct {
	at      time.Time
	replica int
	id      string // webhook-id
}

// fault is a time that something a replica needs was away; -1 is all replicas.
type fault struct {
	replica    int
	from, till time.Time // till zero: it is still away
}

func (b *account) letter(n int) *letter {
	l := b.mails[n]
	if l == nil {
		l = &letter{}
		b.mails[n] = l
	}
	return l
}

func (b *account) change(n int, f func(*letter)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.letter(n))
}

// broken notes a fault; the function ends it.
func (b *account) broken(replica int) (mended func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := len(b.faults)
	b.faults = append(b.faults, fault{replica: replica, from: time.Now()})
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.faults[i].till = time.Now()
	}
}

// How far from a delivery a fault may be to be the reason that its outcome
// wasn't written down: connections that were cut are noticed late, and a write
// waits for half a minute at most.
const (
	faultBefore = time.Second
	faultAfter  = 3 * time.Second
)

// excused says that the replica may have been unable to write a delivery's outcome
// down.
func (b *account) excused(d delivery) bool {
	for _, f := range b.faults {
		if (f.replica == -1 || f.replica == d.replica) && f.from.Before(d.at.Add(faultAfter)) && (f.till.IsZero() || f.till.After(d.at.Add(-faultBefore))) {
			return true
		}
	}
	return false
}

func (b *account) undelivered() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.mails {
		if len(l.taken) == 0 {
			n++
		}
	}
	return n
}

// verdict is nil where everything is accounted for; what still waits is.
func (b *account) verdict(waits int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var accepted, missing, damaged, twice, otherID, unexcused, large int
	for n, l := range b.mails {
		if !l.accepted.IsZero() {
			accepted++
		}
		if l.size > 64<<10 {
			large++
		}
		switch {
		case l.damaged:
			damaged++
		case len(l.taken) == 0:
			missing++
			fmt.Printf("mail %d of %d octets was taken by nobody: answered 250 at %s after %d tries\n", n, l.size, l.accepted.Format(time.TimeOnly), l.tries)
		case len(l.taken) > 1:
			twice++
			for _, d := range l.taken[1:] {
				if d.id != l.taken[0].id {
					otherID++
				}
			}
			if !l.unknown && !b.anyExcused(l) {
				unexcused++
				fmt.Printf("mail %d was taken %d times without a reason: %v\n", n, len(l.taken), l.taken)
			}
		}
	}
	lost := max(missing-max(waits, 0), 0)
	fmt.Printf("answered 250: %d (%d above 64 KiB); delivered: %d; in the queue: %d; lost: %d; damaged: %d; taken twice: %d, of these with another webhook-id: %d, without a reason: %d\n",
		accepted, large, len(b.mails)-missing, waits, lost, damaged, twice, otherID, unexcused)
	var wrong []string
	for what, n := range map[string]int{"lost": lost, "damaged": damaged, "with another webhook-id": otherID, "twice without a reason": unexcused, "never answered 250": len(b.mails) - accepted} {
		if n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", n, what))
		}
	}
	if waits < 0 {
		wrong = append(wrong, "the queue couldn't be counted")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the account doesn't hold: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// anyExcused says that one of all but the last may not have been written down.
func (b *account) anyExcused(l *letter) bool {
	for _, d := range l.taken[:len(l.taken)-1] {
		if b.excused(d) {
			return true
		}
	}
	return false
}
