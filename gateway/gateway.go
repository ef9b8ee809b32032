// Package gateway is the life of a message: from the SMTP transaction through
// the parser to the webhooks, and from their answers to the SMTP reply or into
// the queue, out of which it comes back to the same deliver.
//
// When a 250 is given, each delivery of the message was answered 2xx or is
// durable in the queue. In every other case the message stays with the sender:
// nothing of it is stored, and who already took it is remembered, so that the
// sender's next try reaches only the others.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"postern/gateway/directory"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

// Sender makes one delivery; *webhook.Sender is the real one.
type Sender interface {
	Send(ctx context.Context, ep *webhook.Endpoint, d payload.Delivery, queued bool) webhook.Outcome
}

// Authenticator checks who a message really comes from; it never fails, a
// broken resolver is a "temperror" in its verdict.
type Authenticator interface {
	Authenticate(ctx context.Context, e *mail.Envelope, data mail.Source) *mail.Authentication
}

// Reporter tells operators and senders; its methods return at once.
type Reporter interface {
	// DeadLetter is called once a dead letter is in the queue.
	DeadLetter(ctx context.Context, l retry.Lease, reason string, a retry.Attempt)
	// Delivered is called when a webhook took the message for recipients.
	Delivered(e *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source)
}

// Config is what the operator decides.
type Config struct {
	Domain       string        // our host name
	QueueFirst   bool          // ACCEPT=queue: durable first, 250, then deliver
	OneEndpoint  bool          // 452 to a recipient that would go elsewhere than the first
	AskFor       time.Duration // how long a sender waits for the webhooks in all (DefaultAskFor)
	EnforceDMARC bool          // 550 to what the sender's domain asks to reject
	Policy       retry.Policy  // when what waits is tried again
	ParseLimits  mail.Limits
	LogAddresses AddressLog
	Version      string
}

// DefaultAskFor is well below the ten minutes that a client waits for the
// answer to its final dot (RFC 5321, 4.5.3.2.6) and keeps duplicates away
// (RFC 1047).
const DefaultAskFor = 30 * time.Second

// Deps are the parts that the gateway works with.
type Deps struct {
	Router    *webhook.Router
	Sender    Sender
	Spooler   *mail.Spooler
	Queue     retry.Queue  // nil: no queue, the sender keeps what can't be delivered
	Ledger    retry.Ledger // who took what; the queue itself, or one in memory
	Breakers  *retry.Breakers
	Directory *directory.Directory
	Auth      Authenticator // nil: nobody is checked
	Links     Links         // nil: content never travels by url
	Observer  Observer      // nil: nobody watches
	Reporter  Reporter      // nil: nobody is told
	Logger    *slog.Logger
	Now       func() time.Time
	Rand      func() float64     // in [0,1), for jitter
	Fault     func(point string) // called at each Fault step, for tests; nil: none
}

// Gateway is smtp.Handler and retry.Deliverer in one: fresh and queued mail
// take the same way to the webhook.
type Gateway struct {
	Config
	Deps
	started time.Time
	pauses  atomic.Pointer[map[string]time.Time]
}

// New wires a gateway; it starts nothing.
func New(cfg Config, deps Deps) (*Gateway, error) {
	switch {
	case deps.Router == nil || deps.Sender == nil || deps.Spooler == nil || deps.Ledger == nil || deps.Breakers == nil || deps.Directory == nil:
		return nil, errors.New("gateway: a router, a sender, a spooler, a ledger, breakers and a directory are needed")
	case deps.Queue == nil && cfg.QueueFirst:
		return nil, errors.New("gateway: POSTERN_ACCEPT=queue needs a store, set POSTERN_RETRY_STORE to one")
	}
	if cfg.AskFor <= 0 {
		cfg.AskFor = DefaultAskFor
	}
	if deps.Queue == nil {
		cfg.OneEndpoint = true
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Observer == nil {
		deps.Observer = nobody{}
	}
	if deps.Rand == nil {
		deps.Rand = rand.Float64
	}
	return &Gateway{Config: cfg, Deps: deps, started: deps.Now()}, nil
}
