// Package dispatch makes deliveries: one message, one endpoint, one group of
// recipients, one POST, one outcome. Fresh and queued mail take the same way:
//
//	plan -> may the endpoint be asked? -> a free slot -> render -> keep -> POST -> outcome
//
// Every delivery ends in a webhook.Outcome; nothing here fails in another way,
// and nothing here decides about the mail: what an outcome means for the sender
// or for the queue is the caller's. An endpoint that is paused, failing or busy
// isn't asked, and the outcome says so. What urls in the body name is durable
// before the POST. It knows no SMTP.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

// Sender renders and posts; *webhook.Sender is the real one.
type Sender interface {
	Render(ep *webhook.Endpoint, d payload.Delivery) (*webhook.Request, error)
	Post(ctx context.Context, r *webhook.Request, timeout time.Duration) webhook.Outcome
}

// Breakers say which endpoints are failing; *retry.Breakers are the real ones.
type Breakers interface {
	// Allowed reports whether Begin would give leave now.
	Allowed(endpoint string) bool
	// Begin gives leave for one attempt; done must be called with what it says of
	// the endpoint.
	Begin(endpoint string) (done func(retry.Health), allowed bool)
}

// Gate says whether an endpoint may see a mail at all, by who sent it and by
// what the operator asks of senders: nil, or the outcome that refuses it. It is
// asked once, before the mail is posted or queued for the endpoint.
type Gate func(ep *webhook.Endpoint, env *mail.Envelope, m *mail.Message) *webhook.Outcome

// URLs makes the urls of a moment and says when they expire.
type URLs func(now time.Time) (urls payload.Links, until time.Time)

// Step begins a part of the work that ctx belongs to, for traces; end ends it.
type Step func(ctx context.Context, name string) (within context.Context, end func(error))

// Config is what the operator decides.
type Config struct {
	ParseLimits  mail.Limits
	LogAddresses AddressLog
}

// Deps are the parts that a Dispatcher works with.
type Deps struct {
	Router     *webhook.Router
	Sender     Sender
	Breakers   Breakers
	Memory     *budget.Budget     // what messages are parsed within; nil: no bound
	Processors *budget.Processors // where large messages are parsed and rendered; nil: no bound
	Pauses     Pauses             // nil: nothing is ever paused
	Gate       Gate               // nil: everybody may pass
	URLs       URLs               // nil: content never travels by url
	Observer   Observer           // nil: nobody watches
	Step       Step               // nil: nobody traces
	Logger     *slog.Logger       // nil: none
	Now        func() time.Time   // nil: time.Now
	Fault      func(point string) // for tests: called when a webhook has answered; nil: none
}

// Dispatcher makes deliveries. It is safe for concurrent use.
type Dispatcher struct {
	cfg    Config
	deps   Deps
	slots  map[*webhook.Endpoint]*slots
	pauses atomic.Pointer[map[string]time.Time]
}

// New wires a dispatcher; it starts nothing.
func New(cfg Config, deps Deps) (*Dispatcher, error) {
	if deps.Router == nil || deps.Sender == nil || deps.Breakers == nil {
		return nil, errors.New("dispatch: a router, a sender and breakers are needed")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Observer == nil {
		deps.Observer = nobody{}
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Fault == nil {
		deps.Fault = func(string) {}
	}
	x := &Dispatcher{cfg: cfg, deps: deps, slots: map[*webhook.Endpoint]*slots{}}
	all := deps.Router.Endpoints()
	for _, ep := range all {
		b := paceBounds(deps.Memory.Stats().Total, len(all))
		if n := ep.Concurrency(); n > 0 {
			b = bounds{n, n}
		}
		x.slots[ep] = newSlots(b)
	}
	return x, nil
}
