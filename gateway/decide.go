package gateway

import (
	"postern/gateway/dispatch"
	"postern/gateway/smtp"
	"postern/webhook"
)

// ending is how a delivery ended for one recipient, or for all of its alike, as
// the decision about the message sees it.
type ending struct {
	webhook.Outcome
	taken bool // an earlier try of the sender's delivered it
	keep  bool // a transient failure stays with the sender (DEFER=false)
	copy  bool // the endpoint takes a copy of what is another's
}

func (e ending) delivered() bool { return e.taken || e.Result == webhook.Delivered }

// endingOf is a delivery's ending for one of its recipients; "" means all. On
// LMTP a webhook may have answered for each.
func endingOf(d *dispatch.Delivery, address string) ending {
	e := ending{d.Outcome, d.Taken, !d.Endpoint.Defers(), d.Endpoint.Copy()}
	r, ok := e.Recipients[address]
	if !ok || e.taken {
		return e
	}
	e.Reply = &r
	e.Recipients = nil
	e.Result, e.Reason = webhook.ByReply(r.Code)
	return e
}

// decision is what becomes of a message: the reply, and whether what is left of
// it must be stored before that reply may be given.
type decision struct {
	reply smtp.Reply // zero: accepted
	store bool       // the deferred and the rejected deliveries go to the queue first
}

// decide turns the endings of all of a message's deliveries into one decision
// (product rule "one owner"): the sender keeps all of it or we do.
//
//	the endpoint's gate refuses the sender: as if nobody had been asked, unless nobody else was
//	an explicit 4xx, or a transient failure that stays with the sender: that reply, nothing stored
//	all rejected: the 5xx
//	some rejected, and no queue to hold the dead letters: the 5xx, unless only copies were
//	else: what is deferred or rejected is stored, then 250
func decide(endings []ending, queueOn bool) decision {
	var kept, rejected, gate *ending
	delivered, deferred := 0, 0
	for i := range endings {
		e := &endings[i]
		switch {
		case e.delivered():
			delivered++
		case e.Reason == webhook.ReasonSender:
			gate = first(gate, e)
		case e.Result == webhook.Rejected:
			rejected = first(rejected, e)
		default:
			deferred++
			if e.Reply != nil || e.keep || !queueOn {
				kept = first(kept, e)
			}
		}
	}
	switch {
	case kept != nil:
		return decision{reply: failure(kept.Outcome)}
	case rejected != nil && (delivered+deferred == 0 || !queueOn && !rejected.copy):
		return decision{reply: failure(rejected.Outcome)}
	case gate != nil && delivered+deferred == 0:
		return decision{reply: failure(gate.Outcome)}
	}
	return decision{reply: accepted(endings), store: queueOn && (deferred > 0 || rejected != nil)}
}

// decideNow is the decision about SEND: now or never, so every recipient must
// have a terminal that took it.
func decideNow(took bool) decision {
	if took {
		return decision{}
	}
	return decision{reply: replyNotTaken}
}

// first keeps what was found first, but lets a recipient's own endpoint win
// over one that takes a copy, and then an explicit reply over the table's.
func first(have, e *ending) *ending {
	switch {
	case have == nil, have.copy && !e.copy:
		return e
	case have.copy == e.copy && have.Reply == nil && e.Reply != nil:
		return e
	}
	return have
}

// accepted is the 2xx that the webhooks asked for, zero where none did.
func accepted(endings []ending) smtp.Reply {
	for i := range endings {
		if e := endings[i]; e.Result == webhook.Delivered && e.Reply != nil {
			return *e.Reply
		}
	}
	return smtp.Reply{}
}
