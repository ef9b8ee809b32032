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
	// ledgerTimeout bounds the note about who took a message: the session waits.
	ledgerTimeout = 5 * time.Second
)

// ledger remembers who took a message whose sender still has it, so that the
// sender's next try reaches only the others. Only messages with a Message-ID
// can be known again.
type ledger struct {
	retry.Ledger
	log  *slog.Logger
	life time.Duration // how long a note is of use
}

// taken looks up who took the message in an earlier try. While the store can't
// say, all are asked again, with the same webhook-id.
func (l ledger) taken(ctx context.Context, env *mail.Envelope) func(*webhook.Endpoint, mail.Recipient) bool {
	nobody := func(*webhook.Endpoint, mail.Recipient) bool { return false }
	if !env.Keyed {
		return nobody
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ids, err := l.Taken(ctx, env.Key)
	if err != nil {
		l.log.Warn("who took the message before can't be looked up, so all are asked", "message", env.ID, "err", err)
	}
	if len(ids) == 0 {
		return nobody
	}
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return func(ep *webhook.Endpoint, r mail.Recipient) bool { return set[ledgerKey(ep, r)] }
}

// remember notes who took a message that its sender has still.
func (l ledger) remember(ctx context.Context, env *mail.Envelope, keys []string) {
	if !env.Keyed || len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTimeout)
	defer cancel()
	l.failed(env, l.Remember(ctx, env.Key, keys, l.life))
}

// forget drops what was noted: the sender has heard our 250.
func (l ledger) forget(ctx context.Context, env *mail.Envelope) {
	if !env.Keyed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTimeout)
	defer cancel()
	l.failed(env, l.Forget(ctx, env.Key))
}

func (l ledger) failed(env *mail.Envelope, err error) {
	if err != nil {
		l.log.Warn("who took a message could not be noted; a re-send may be delivered again, with the same webhook-id", "message", env.ID, "err", err)
	}
}

// ledgerKeys names those among the recipients of deliveries whom "of" means.
func ledgerKeys(ds []*dispatch.Delivery, of func(*dispatch.Delivery, mail.Recipient) bool) []string {
	var keys []string
	for _, d := range ds {
		for _, r := range d.To {
			if of(d, r) {
				keys = append(keys, ledgerKey(d.Endpoint, r))
			}
		}
	}
	return keys
}

// ledgerKey names (endpoint, recipient).
func ledgerKey(ep *webhook.Endpoint, r mail.Recipient) string { return ep.Name() + "\x00" + r.Address }
