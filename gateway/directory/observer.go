package directory

import "time"

// Observer hears of each question to the directory webhook, for metrics. It must
// return quickly.
type Observer interface {
	LookedUp(from Source, r Result, took time.Duration)
}

type nobody struct{}

func (nobody) LookedUp(Source, Result, time.Duration) {}

// Source is where an answer came from.
type Source string

// The sources.
const (
	Cached Source = "cache"
	Asked  Source = "webhook"
	Rested Source = "rest" // not asked: it let somebody wait in vain a moment ago
)

// Sources lists all of them, so that their series exist from the start.
func Sources() []Source { return []Source{Cached, Asked, Rested} }

// Result is what an answer was.
type Result string

// The results.
const (
	Accepted    Result = "accepted"
	Forwarded   Result = "forwarded"
	Refused     Result = "refused"
	Unavailable Result = "unavailable" // the sender comes back
)

// Results lists all of them.
func Results() []Result { return []Result{Accepted, Forwarded, Refused, Unavailable} }

func resultOf(a Answer) Result {
	switch {
	case a.Forwarded(), a.Code == 551:
		return Forwarded
	case a.Accepted():
		return Accepted
	case a.Code/100 == 4:
		return Unavailable
	}
	return Refused
}
