package history

import (
	"fmt"
	"slices"
	"time"
)

// Event is one step of a message's story.
type Event struct {
	At      time.Time
	Attempt *Attempt // nil: the client was answered
}

// Story is what happened in the order in which one thing led to the next: the
// attempts while the sender waited, the answer that came of them, and then what
// came out of the queue.
func (r *Record) Story() []Event {
	story := make([]Event, 0, len(r.Attempts)+1)
	i := 0
	for ; i < len(r.Attempts) && !r.Attempts[i].Queued; i++ {
		story = append(story, Event{r.Attempts[i].At, &r.Attempts[i]})
	}
	story = append(story, Event{At: r.At})
	for _, a := range later(r.Attempts[i:]) {
		story = append(story, Event{a.At, a})
	}
	return story
}

// later is what came out of the queue in the order of time: several processes
// write of one message.
func later(attempts []Attempt) []*Attempt {
	all := make([]*Attempt, 0, len(attempts))
	for i := range attempts {
		if attempts[i].Queued {
			all = append(all, &attempts[i])
		}
	}
	slices.SortStableFunc(all, func(a, b *Attempt) int { return a.At.Compare(b.At) })
	return all
}

// Became is how a message stands now, in a word or two for people.
func (r *Record) Became() string {
	switch {
	case r.Dead > 0:
		return "dead letter"
	case r.Waiting > 0:
		return "waiting"
	case r.Removed > 0:
		return "removed"
	case r.Result == AuthFailed:
		return "sign-in failed"
	case r.Result != Accepted:
		return string(r.Result)
	case r.Repeats != "":
		return "repeated" // it stands as the message that it repeats
	}
	return "delivered"
}

// Happened is, for people, what happened to a delivery without an attempt.
func (a *Attempt) Happened() string {
	by := ""
	if a.By != "" {
		by = " by " + a.By
	}
	switch a.Settles {
	case QueuedAgain:
		return "sent again" + by
	case Replayed:
		return "replayed" + by
	case Deleted:
		return "deleted" + by
	case Vanished:
		return fmt.Sprintf("left the queue (%d of it); nobody told how: it was deleted, its sender sent it anew, or the word that it arrived was lost", a.Parts)
	}
	return a.Reason
}
