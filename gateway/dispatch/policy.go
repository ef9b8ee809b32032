package dispatch

import (
	"context"
	"errors"

	"postern/retry"
	"postern/webhook"
)

// Refuses reports whether the endpoint must not see the fresh mail, and sets the
// delivery's outcome then. It is for whoever queues mail without a POST; Deliver
// asks by itself.
func (x *Dispatcher) Refuses(d *Delivery) bool {
	switch {
	case d.AlreadyDelivered:
		return false
	case insecure(d):
		d.Outcome = refusedInsecure
	case x.deps.Gate != nil:
		o := x.deps.Gate(d.Endpoint, d.Mail.Envelope, d.Mail.Head)
		if o == nil {
			return false
		}
		d.Outcome = *o
	default:
		return false
	}
	d.Outcome.Endpoint = d.Endpoint.Name()
	x.observe(d)
	return true
}

// insecure reports whether the mail would be posted in the clear although its
// sender requires TLS.
func insecure(d *Delivery) bool { return d.Mail.Envelope.RequireTLS && !d.Endpoint.Secure() }

// refusedInsecure is the outcome then.
var refusedInsecure = webhook.Outcome{Result: webhook.Rejected, Reason: webhook.ReasonInsecure,
	Err: errors.New("the sender requires TLS (RFC 8689) and the endpoint's URL is not https")}

// Available reports whether the endpoint would be asked now: its breaker is closed,
// or a probe is due.
func (x *Dispatcher) Available(ep *webhook.Endpoint) bool { return x.deps.Breakers.Allowed(ep.Name()) }

// Asked reports whether the outcome is that of an attempt: false where the endpoint
// was not asked at all.
func Asked(o webhook.Outcome) bool {
	switch o.Reason {
	case webhook.ReasonBreaker, webhook.ReasonPaused, webhook.ReasonNoSlot, webhook.ReasonMemory, webhook.ReasonSender, webhook.ReasonUnsure:
		return false
	}
	return true
}

// health is what an outcome says of the endpoint. A rejection or a wish to defer is
// an answer of a healthy app, a 413 mostly a proxy's. Where there was no POST, for
// a fault of ours, or we cut the attempt short, it says nothing.
func health(ctx context.Context, d *Delivery, o webhook.Outcome) retry.Health {
	switch o.Reason {
	case webhook.ReasonDelivered, webhook.ReasonRejected, webhook.ReasonTooLarge, webhook.ReasonAsked:
		return retry.Healthy
	case webhook.ReasonRender, webhook.ReasonMemory, webhook.ReasonInsecure:
		return retry.HealthUnknown
	}
	if cutShort(ctx, d, o) {
		return retry.HealthUnknown
	}
	return retry.Unhealthy
}

// cutShort reports whether we ended the attempt ourselves before the endpoint had
// its time to answer.
func cutShort(ctx context.Context, d *Delivery, o webhook.Outcome) bool {
	return ctx.Err() != nil && o.Result == webhook.Deferred && (d.Origin == Queued || o.Elapsed < webhook.DefaultTimeout)
}
