package retry

import (
	"context"
	"time"
)

// Deliverer attempts a delivery. It asks Breakers.Begin itself, as for fresh
// mail, and answers Skip where it isn't allowed. The body has been verified.
type Deliverer interface {
	Deliver(ctx context.Context, l Lease) Outcome
}

// OutcomeKind is what becomes of a delivery after an attempt.
type OutcomeKind uint8

// The outcomes.
const (
	Later   OutcomeKind = iota // try again when the policy says
	Done                       // delivered
	GiveUp                     // a dead letter, for Outcome.Reason
	Skip                       // not attempted: no attempt is counted
	Divided                    // answered for each recipient: Parts are what is left
)

// Outcome is the end of an attempt.
type Outcome struct {
	Kind    OutcomeKind
	After   time.Duration // the receiver's Retry-After; for Skip, how long to wait
	Reason  string        // of a dead letter, and for the observer
	Attempt Attempt
	Parts   []Part
}

// Part is what becomes of some of a delivery's recipients: Later or GiveUp.
type Part struct {
	ID         string // of the delivery that they are now
	Recipients []string
	Outcome    Outcome
}
