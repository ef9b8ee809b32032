package history

import "time"

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
	for ; i < len(r.Attempts); i++ {
		story = append(story, Event{r.Attempts[i].At, &r.Attempts[i]})
	}
	return story
}

// Became is how a message stands now, in a word or two for people.
func (r *Record) Became() string {
	switch {
	case r.Dead > 0:
		return "dead letter"
	case r.Waiting > 0:
		return "waiting"
	case r.Result == AuthFailed:
		return "sign-in failed"
	case r.Result != Accepted:
		return string(r.Result)
	case r.Repeats != "":
		return "repeated" // it stands as the message that it repeats
	}
	return "delivered"
}
