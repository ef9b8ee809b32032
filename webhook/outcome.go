package webhook

import (
	"fmt"
	"strings"
	"time"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// Result is what became of a delivery, in the one distinction that decides
// about the mail.
type Result uint8

// The three results.
const (
	Deferred  Result = iota // not now: wait or leave it with the sender
	Delivered               // the webhook took it
	Rejected                // the webhook will never take it
)

// Reason is why a delivery ended as it did: a closed set that feeds error,
// log, metric label and reply.
type Reason string

// The reasons.
const (
	ReasonDelivered     Reason = "delivered"      // 2xx
	ReasonRejected      Reason = "rejected"       // 406, REJECT, SMTP-Reply 5xx, abort-message
	ReasonTooLarge      Reason = "too_large"      // 413, mostly of a proxy in front
	ReasonBusy          Reason = "busy"           // 429, 507
	ReasonMisconfigured Reason = "misconfigured"  // other 4xx, 3xx, 1xx
	ReasonUnavailable   Reason = "unavailable"    // 408, 425, 5xx
	ReasonAsked         Reason = "asked_to_defer" // SMTP-Reply 4xx
	ReasonEarly         Reason = "early_answer"   // 2xx before it had the whole message
	ReasonTimeout       Reason = "timeout"
	ReasonConnect       Reason = "connect" // refused, reset, broken
	ReasonDNS           Reason = "dns"
	ReasonTLS           Reason = "tls"
	ReasonBreaker       Reason = "breaker_open" // not asked: the endpoint is failing
	ReasonNoSlot        Reason = "no_slot"      // not asked: CONCURRENCY was taken for the whole time
	ReasonPaused        Reason = "paused"       // not asked: the operator paused the endpoint
	ReasonMemory        Reason = "no_memory"    // not asked: no memory for the message came free
	ReasonRender        Reason = "render"       // the stored message could not be read
	ReasonInsecure      Reason = "insecure"     // REQUIRETLS and the endpoint is not https
	ReasonSender        Reason = "sender"       // not asked: the endpoint's gate refuses the sender (REQUIRE, ALLOW_FROM)
	ReasonUnsure        Reason = "unsure"       // not asked: the gate can't verify the sender now
)

// Posted reports whether the webhook may have seen a request: what was paused,
// gated or couldn't be rendered it never saw.
func (r Reason) Posted() bool {
	switch r {
	case ReasonBreaker, ReasonNoSlot, ReasonPaused, ReasonMemory, ReasonRender, ReasonInsecure, ReasonSender, ReasonUnsure:
		return false
	}
	return true
}

// Outcome is the end of one delivery attempt.
type Outcome struct {
	Endpoint   string
	Result     Result
	Reason     Reason
	Status     int                    // HTTP status, 0 where none came
	Reply      *reply.Reply           // explicit, from the webhook, its code 250-259, 450-452 or 550-554; nil: the table decides
	Recipients map[string]reply.Reply // per recipient, on LMTP
	After      time.Duration          // Retry-After, at most 6 h; 0 none
	Elapsed    time.Duration
	Again      bool   // a kept connection broke before it answered: post it once more, as the same attempt
	Answer     string // the beginning of a failing answer's body, for people; may hold anything
	Err        error  // why, for people; nil when delivered
}

// ReplyTo is what the webhook answered for one recipient. It may have written the
// address in small letters, or as a path.
func (o Outcome) ReplyTo(address string) (reply.Reply, bool) {
	if r, ok := o.Recipients[address]; ok {
		return r, true
	}
	first, found := "", false
	for said := range o.Recipients {
		if strings.EqualFold(strings.Trim(said, "<> "), address) && (!found || said < first) {
			first, found = said, true
		}
	}
	return o.Recipients[first], found
}

// NotPosted is the end of a delivery of which the webhook saw nothing.
func NotPosted(why Reason, err error) Outcome {
	return Outcome{Result: Deferred, Reason: why, Err: err}
}

// maxSenderReason is the octets of why a sender is refused that a reply repeats.
const maxSenderReason = 300

// RefusedSender is the end of a delivery that the endpoint's gate refuses for good.
func RefusedSender(why string) *Outcome {
	r := reply.New(550, reply.Enhanced{5, 7, 1}, text.Reply("Sender refused: "+why, maxSenderReason))
	return &Outcome{Result: Rejected, Reason: ReasonSender, Reply: &r, Err: fmt.Errorf("the sender is refused: %s", why)}
}

// UnsureSender is the end of a delivery whose sender can't be verified now.
func UnsureSender(why string) *Outcome {
	r := reply.New(451, reply.Enhanced{4, 7, 0}, text.Reply("Sender can't be verified now: "+why, maxSenderReason))
	return &Outcome{Result: Deferred, Reason: ReasonUnsure, Reply: &r, Err: fmt.Errorf("the sender can't be verified now: %s", why)}
}
