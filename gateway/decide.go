package gateway

import (
	"postern/gateway/dispatch"
	"postern/gateway/smtp/reply"
	"postern/webhook"
)

// disposition is how a delivery ended for one of its recipients, or for all of
// them where its webhook made no difference: what the decision about the message
// is made from.
type disposition struct {
	webhook.Outcome
	already  bool // an earlier try of the sender's delivered it
	tempfail bool // a transient failure is answered 4xx and not queued (DEFER=false)
	copy     bool // the endpoint gets a copy (COPY=true) of mail that is another's
}

func (e disposition) delivered() bool { return e.already || e.Result == webhook.Delivered }

// dispositionOf is a delivery's ending for one of its recipients; "" means all. On
// LMTP a webhook may have answered for each.
func dispositionOf(d *dispatch.Delivery, address string) disposition {
	e := disposition{d.Outcome, d.AlreadyDelivered, !d.Endpoint.Defers(), d.Endpoint.Copy()}
	r, ok := e.ReplyTo(address)
	if !ok || e.already {
		return e
	}
	e.Reply = &r
	e.Recipients = nil
	e.Result, e.Reason = webhook.ByReply(r.Code)
	return e
}

// decision is what is decided about a message: the reply, and whether deliveries
// of it must be durable in the queue before that reply may be given.
type decision struct {
	reply   reply.Reply // zero: accepted, with the usual 250
	enqueue bool        // the deferred deliveries, and the rejected ones as dead letters
}

// decide turns the dispositions of all of a message's deliveries into one
// decision. Either the sender keeps the whole message (4xx, 5xx) or we take it
// (2xx), never a part of it. The first line that fits:
//
//	a webhook asked for a 4xx, or failed for now and can't be queued for: that 4xx, nothing is stored
//	every delivery was rejected: the 5xx
//	one was rejected, and there is no queue to hold the dead letter: the 5xx, unless it was a mere copy
//	every endpoint that was left refuses the sender (REQUIRE, ALLOW_FROM): that refusal
//	else: 250, once what is deferred or rejected is in the queue
//
// An endpoint that refuses the sender otherwise counts as if it had not been
// among the endpoints.
func decide(all []disposition, queueOn bool) decision {
	var tempfail, rejected, refused *disposition
	delivered, deferred := 0, 0
	for i := range all {
		e := &all[i]
		switch {
		case e.delivered():
			delivered++
		case e.Reason == webhook.ReasonSender:
			refused = foremost(refused, e)
		case e.Result == webhook.Rejected:
			rejected = foremost(rejected, e)
		default:
			deferred++
			if e.Reply != nil || e.tempfail || !queueOn {
				tempfail = foremost(tempfail, e)
			}
		}
	}
	switch {
	case tempfail != nil:
		return decision{reply: failure(tempfail.Outcome)}
	case rejected != nil && (delivered+deferred == 0 || !queueOn && !rejected.copy):
		return decision{reply: failure(rejected.Outcome)}
	case refused != nil && delivered+deferred == 0:
		return decision{reply: failure(refused.Outcome)}
	}
	return decision{reply: accepted(all), enqueue: queueOn && (deferred > 0 || rejected != nil)}
}

// decideNow is the decision about SEND (RFC 821), which is never queued: every
// recipient must have been reached at a terminal now.
func decideNow(reached bool) decision {
	if reached {
		return decision{}
	}
	return decision{reply: replyNotDelivered}
}

// foremost picks whose reply the sender gets, of the one found before and the
// next: a recipient's own endpoint wins over one that gets a copy, then a reply
// that the webhook worded over the table's, then the first.
func foremost(before, next *disposition) *disposition {
	switch {
	case before == nil, before.copy && !next.copy:
		return next
	case before.copy == next.copy && before.Reply == nil && next.Reply != nil:
		return next
	}
	return before
}

// accepted is the 2xx that the webhooks asked for, zero where none did.
func accepted(all []disposition) reply.Reply {
	for i := range all {
		if e := all[i]; e.Result == webhook.Delivered && e.Reply != nil {
			return *e.Reply
		}
	}
	return reply.Reply{}
}
