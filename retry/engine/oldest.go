package engine

import (
	"time"

	"postern/retry"
)

// LookShort is how many of an endpoint's deliveries are looked at for the oldest
// where some live shorter than others.
const LookShort = 10_000

// shortSlack is what a delivery's end may be off by, of clocks that disagree.
const shortSlack = time.Minute

// Oldest finds the oldest deliveries for Stats. Stores find what ends first, by an
// index: while all live equally long, that began first. Endpoints where it is one
// that lives shorter than its message are named in Look.
type Oldest struct {
	Look  []string
	Stats *retry.Stats
	began int64 // of OldestDue
}

// First takes the delivery of an endpoint that ends first; times are in milliseconds
// of Unix time, life is its message's.
func (o *Oldest) First(endpoint string, ends, received, life int64) {
	if ends-life < received-shortSlack.Milliseconds() {
		o.Look = append(o.Look, endpoint)
		return
	}
	o.See(endpoint, ends-life, received)
}

// See takes the delivery of an endpoint that began first, by receipt or replay.
func (o *Oldest) See(endpoint string, began, received int64) {
	o.Stats.OldestOf[endpoint] = FromMillis(began)
	if o.Stats.OldestDue.IsZero() || began < o.began {
		o.began, o.Stats.OldestDue = began, FromMillis(received)
	}
}
