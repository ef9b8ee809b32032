package gateway

import (
	"context"
	"log/slog"
	"time"

	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

const (
	// lookupTimeout bounds the look-up of earlier tries: a store that hangs must
	// not hold up mail that a healthy webhook takes.
	lookupTimeout = 2 * time.Second
	// recordTimeout bounds a write to the dedup records: the session waits.
	recordTimeout = 5 * time.Second
)

// resends remembers which recipients a message has reached while its sender
// still has it, so that the sender's next try reaches only the others. Only
// messages with a Message-ID can be known again.
type resends struct {
	retry.Dedup
	log  *slog.Logger
	life time.Duration // how long a record is of use
}

// reached looks up whom an earlier try of the sender's reached: the endpoint has
// the message for the recipient. While the store can't say, all are posted to
// again, with the same webhook-id. some is true where there are records, or may be.
func (l resends) reached(ctx context.Context, env *mail.Envelope) (by func(*webhook.Endpoint, mail.Recipient) bool, some bool) {
	nobody := func(*webhook.Endpoint, mail.Recipient) bool { return false }
	if !env.Keyed {
		return nobody, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ids, err := l.Delivered(ctx, env.Key)
	if err != nil {
		l.log.Warn("which endpoints have the message already can't be looked up, so all are asked", "message", env.ID, "err", err)
	}
	if len(ids) == 0 {
		return nobody, err != nil
	}
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return func(ep *webhook.Endpoint, r mail.Recipient) bool { return set[resendKey(ep, r)] }, true
}

// remember stores the keys of those whom a message reached that its sender still has.
func (l resends) remember(ctx context.Context, env *mail.Envelope, keys []string) {
	if !env.Keyed || len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	l.failed(env, l.Remember(ctx, env.Key, keys, l.life))
}

// forget drops what was remembered: the sender has heard our 250.
func (l resends) forget(ctx context.Context, env *mail.Envelope) {
	if !env.Keyed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	l.failed(env, l.Forget(ctx, env.Key))
}

func (l resends) failed(env *mail.Envelope, err error) {
	if err != nil {
		l.log.Warn("which endpoints have a message could not be remembered; a re-send may be delivered again, with the same webhook-id", "message", env.ID, "err", err)
	}
}

// resendKeys lists the keys of those recipients of deliveries whom "of" selects.
func resendKeys(ds []*dispatch.Delivery, of func(*dispatch.Delivery, mail.Recipient) bool) []string {
	var keys []string
	for _, d := range ds {
		for _, r := range d.To {
			if of(d, r) {
				keys = append(keys, resendKey(d.Endpoint, r))
			}
		}
	}
	return keys
}

// resendKey is the name of (endpoint, recipient) in the dedup records.
func resendKey(ep *webhook.Endpoint, r mail.Recipient) string { return ep.Name() + "\x00" + r.Address }
