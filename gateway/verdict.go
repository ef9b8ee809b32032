package gateway

import (
	"postern/gateway/smtp"
	"postern/webhook"
)

// fate is how one delivery ended, as the verdict on its message sees it.
type fate struct {
	outcome webhook.Outcome
	taken   bool // an earlier try of the sender's delivered it
	keep    bool // a transient failure stays with the sender (no queue, or DEFER=false)
	copy    bool // the endpoint takes a copy of what is another's
}

func (f fate) delivered() bool { return f.taken || f.outcome.Result == webhook.Delivered }

// of is the fate for one recipient, where the webhook answered for each.
func (f fate) of(address string) fate {
	r, ok := f.outcome.Recipients[address]
	if !ok || f.taken {
		return f
	}
	f.outcome.Reply = &r
	switch r.Code / 100 {
	case 2:
		f.outcome.Result, f.outcome.Reason = webhook.Delivered, webhook.ReasonDelivered
	case 4:
		f.outcome.Result, f.outcome.Reason = webhook.Deferred, webhook.ReasonAsked
	default:
		f.outcome.Result, f.outcome.Reason = webhook.Rejected, webhook.ReasonRejected
	}
	f.outcome.Recipients = nil
	return f
}

// verdict is what becomes of a message: the reply, and whether what is left of
// it must be stored before that reply may be given.
type verdict struct {
	reply smtp.Reply // zero: accepted
	store bool       // the deferred and the rejected deliveries go to the queue first
}

// decide turns the ends of all of a message's deliveries into one verdict
// (product rule "one owner"): the sender keeps all of it or we do.
//
//	an explicit 4xx, or a transient failure that stays with the sender: that reply, nothing stored
//	all rejected: the 5xx
//	some rejected, and no queue to hold the dead letters: the 5xx, unless only copies were
//	else: what is deferred or rejected is stored, then 250
func decide(fates []fate, queueOn bool) verdict {
	var kept, rejected *fate
	delivered, deferred := 0, 0
	for i := range fates {
		f := &fates[i]
		switch {
		case f.delivered():
			delivered++
		case f.outcome.Result == webhook.Rejected:
			rejected = first(rejected, f)
		default:
			deferred++
			if f.outcome.Reply != nil || f.keep || !queueOn {
				kept = first(kept, f)
			}
		}
	}
	switch {
	case kept != nil:
		return verdict{reply: failure(kept.outcome)}
	case rejected != nil && (delivered+deferred == 0 || !queueOn && !rejected.copy):
		return verdict{reply: failure(rejected.outcome)}
	}
	return verdict{reply: accepted(fates), store: queueOn && (deferred > 0 || rejected != nil)}
}

// first keeps what was found first, but lets a recipient's own endpoint win
// over one that takes a copy, and then an explicit reply over the table's.
func first(have, f *fate) *fate {
	switch {
	case have == nil, have.copy && !f.copy:
		return f
	case have.copy == f.copy && have.outcome.Reply == nil && f.outcome.Reply != nil:
		return f
	}
	return have
}

// accepted is the 2xx that the webhooks asked for, zero where none did.
func accepted(fates []fate) smtp.Reply {
	for i := range fates {
		if o := fates[i].outcome; o.Result == webhook.Delivered && o.Reply != nil {
			return *o.Reply
		}
	}
	return smtp.Reply{}
}
