// Package gateway is the life of a message: received in an SMTP transaction,
// delivered to its webhooks, decided about, and answered. It also delivers
// what comes back out of the queue.
//
// When a 250 is given, each delivery of the message was answered 2xx or is
// durable in the queue. In every other case the message stays with the sender:
// nothing of it is stored, and who already took it is remembered, so that the
// sender's next try reaches only the others. Nobody is told of a delivery
// before it is known what happened to each recipient.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"postern/gateway/smtp/reply"
	"time"

	"postern/gateway/archive"
	"postern/gateway/auth"
	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/gateway/spool"
	"postern/retry"
	"postern/webhook"
)

// Queue is what a message's life asks of the retry queue.
type Queue interface {
	archive.Bodies
	Waiting
	Reserve(ctx context.Context, n int64) (retry.Reservation, error)
	Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error)
	Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error)
	Keep(ctx context.Context, m retry.Message, d time.Duration) error
	Drop(ctx context.Context, messageID string) error
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
	Stats(ctx context.Context) (retry.Stats, error)
}

// Directory says who is a recipient; *directory.Directory is the real one.
type Directory interface {
	Recipient(ctx context.Context, q directory.Query) directory.Answer
	Verify(ctx context.Context, q directory.Query) directory.Answer
	Expand(ctx context.Context, q directory.Query) directory.Answer
}

// Authenticator checks who a message really comes from; *auth.Checker is the
// real one.
type Authenticator interface {
	// Forged finds what a stranger says in our name.
	Forged(e *mail.Envelope, data mail.Source) (auth.Removal, error)
	// Authenticate gives the verdict once e.Removed is known. It never fails: a
	// broken resolver is a "temperror" in it.
	Authenticate(ctx context.Context, e *mail.Envelope, data mail.Source) *mail.Authentication
}

// Filter has an opinion of messages; *rspamd.Client is one.
type Filter interface {
	// Check returns it, nil for none, within a few seconds.
	Check(ctx context.Context, e *mail.Envelope, data mail.Source) *mail.Spam
}

// Observer hears what becomes of messages, for metrics. Its methods must
// return quickly.
type Observer interface {
	// Received is called for each reply to a message; took is the time since its
	// last octet.
	Received(e *mail.Envelope, code int, took time.Duration)
	// Queued is called for each delivery that was stored.
	Queued(endpoint string, dead bool)
	// Overfull is called for each message or recipient that was left with its
	// sender because too much waits for an endpoint.
	Overfull(endpoint string)
}

type noObserver struct{}

func (noObserver) Received(*mail.Envelope, int, time.Duration) {}
func (noObserver) Queued(string, bool)                         {}
func (noObserver) Overfull(string)                             {}

// Reporter tells operators and senders; its methods return at once.
type Reporter interface {
	// DeadLetter is called once a dead letter is in the queue.
	DeadLetter(ctx context.Context, l retry.Lease, reason string, a retry.Attempt)
	// Delivered is called when a webhook took the message for recipients, and
	// what became of all others is known.
	Delivered(e *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source)
	// Delayed is called when the message hasn't reached recipients by the time at
	// which its sender wants to know, and goes on to be tried.
	Delayed(e *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source)
	// Returns reports whether the sender would be told if the message couldn't be
	// delivered to any of the recipients.
	Returns(e *mail.Envelope, to []mail.Recipient, m *mail.Message) bool
}

// History keeps what became of messages; its methods return at once, and what
// they are given is theirs.
type History interface {
	Transaction(r history.Record)
	Attempt(a history.Attempt)
}

// Keeper keeps delivered mail for a while; *kept.Keeper is the real one.
type Keeper interface {
	// Keep takes a message without waiting: it opens data before it returns, if it
	// wants it, and reads it later.
	Keep(env *mail.Envelope, head *mail.Message, data mail.Source)
}

type noReporter struct{}

func (noReporter) DeadLetter(context.Context, retry.Lease, string, retry.Attempt)         {}
func (noReporter) Delivered(*mail.Envelope, []mail.Recipient, *mail.Message, mail.Source) {}
func (noReporter) Returns(*mail.Envelope, []mail.Recipient, *mail.Message) bool           { return false }
func (noReporter) Delayed(*mail.Envelope, []mail.Recipient, *mail.Message, mail.Source)   {}

// Config is what the operator decides.
type Config struct {
	Domain       string              // our host name
	QueueFirst   bool                // ACCEPT=queue: durable first, 250, then deliver
	OneEndpoint  bool                // 452 to a recipient that would go elsewhere than the first
	AskFor       time.Duration       // how long a sender waits for the webhooks in all (DefaultAskFor)
	EnforceDMARC bool                // 550 to what the sender's domain asks to reject
	EnforceSpam  bool                // what the filter refuses is refused
	Policy       retry.Policy        // when what waits is tried again
	LogAddresses dispatch.AddressLog // what logs show of addresses
	Version      string
}

// DefaultAskFor is well below the ten minutes that a client waits for the
// answer to its final dot (RFC 5321, 4.5.3.2.6) and keeps duplicates away
// (RFC 1047).
const DefaultAskFor = 30 * time.Second

// Deps are the parts that the gateway works with.
type Deps struct {
	Router    *webhook.Router
	Dispatch  *dispatch.Dispatcher
	Spooler   *spool.Spooler
	Queue     Queue       // nil: no queue, the sender keeps what can't be delivered
	Dedup     retry.Dedup // whom messages have reached; the queue itself, or one in memory
	Directory Directory
	Auth      Authenticator  // nil: nobody is checked
	Filter    Filter         // nil: nobody is asked about spam
	Turn      smtp.Collector // nil: nobody collects what waits
	Observer  Observer       // nil: nobody watches
	Reporter  Reporter       // nil: nobody is told
	Tracer    Tracer         // nil: nobody traces
	History   History        // nil: nothing is told
	Keeper    Keeper         // nil: delivered mail isn't kept
	Logger    *slog.Logger
	Now       func() time.Time
	Rand      func() float64     // in [0,1), for jitter
	Fault     func(point string) // called at each Fault step, for tests; nil: none
}

// Gateway is smtp.Handler and retry.Deliverer in one: fresh and queued mail
// take the same way to the webhook.
type Gateway struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	queue   *queue // nil: no queue
	resends resends
	started time.Time
}

// New wires a gateway; it starts nothing.
func New(cfg Config, deps Deps) (*Gateway, error) {
	switch {
	case deps.Router == nil || deps.Dispatch == nil || deps.Spooler == nil || deps.Dedup == nil || deps.Directory == nil:
		return nil, errors.New("gateway: a router, a dispatcher, a spooler, a dedup store and a directory are needed")
	case deps.Queue == nil && cfg.QueueFirst:
		return nil, errors.New("gateway: POSTERN_ACCEPT=queue needs a store, set POSTERN_RETRY_STORE to one")
	}
	if cfg.AskFor <= 0 {
		cfg.AskFor = DefaultAskFor
	}
	if deps.Queue == nil {
		cfg.OneEndpoint = true
	}
	deps = deps.withDefaults()
	g := &Gateway{cfg: cfg, deps: deps, log: deps.Logger, started: deps.Now(),
		resends: resends{deps.Dedup, deps.Logger, cfg.Policy.MaxAge}}
	if deps.Queue != nil {
		g.queue = &queue{engine: deps.Queue, policy: cfg.Policy, observer: deps.Observer, reporter: deps.Reporter,
			log: deps.Logger, now: deps.Now, rand: deps.Rand, fault: deps.Fault,
			quotas: newQuotas(deps.Queue, deps.Logger, deps.Now)}
	}
	return g, nil
}

func (d Deps) withDefaults() Deps {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Observer == nil {
		d.Observer = noObserver{}
	}
	if d.Reporter == nil {
		d.Reporter = noReporter{}
	}
	if d.Rand == nil {
		d.Rand = rand.Float64
	}
	if d.Fault == nil {
		d.Fault = func(string) {}
	}
	return d
}

// Collect implements smtp.Collector.
func (g *Gateway) Collect(ctx context.Context, c *smtp.Client) (smtp.Collection, reply.Reply) {
	if g.deps.Turn == nil {
		return nil, replyNothingToCollect
	}
	return g.deps.Turn.Collect(ctx, c)
}

// The steps between the last octet and the reply at which a test can end the
// process; dispatch.FaultAnswered is one between them. At each the message must
// still have one owner.
const (
	FaultSpooled  = "spooled"  // the last octet is in the spool
	FaultParsed   = "parsed"   // before any webhook is asked
	FaultStaged   = "staged"   // the body is durable, its deliveries are not
	FaultEnqueued = "enqueued" // the deliveries are durable
	FaultDecided  = "decided"  // the reply is about to be written
)
