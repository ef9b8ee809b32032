// Package again has a message that is still stored sent once more, because an
// operator asks for it: to where it went, or to another endpoint.
//
// It only queues: the message is durable in the queue, due at once, when Send
// returns nil, and takes the way of all queued mail from there. What is queued
// already is left as it is.
//
// Such a delivery has a webhook-id of its own: an app that forgets what it has
// seen would otherwise take the operator's deliberate second POST for a repeated
// one and ignore it. With the first one's id, on request, just that happens where
// the app has it. The Postern-Message-Id is the same either way.
package again

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/gateway/archive"
	"postern/gateway/dispatch"
	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// Sentinels that a caller decides on.
var (
	// ErrNotFound is returned when the message isn't stored (any more).
	ErrNotFound = fmt.Errorf("again: the message isn't stored: POSTERN_KEEP keeps delivered mail for a while: %w", retry.ErrNotFound)
	// ErrRequest is returned when a request can't be met as it is.
	ErrRequest = errors.New("again")
	// ErrWaits is returned when all of it waits in the queue already.
	ErrWaits = errors.New("again: the queue has it already, and it will be sent")
)

// Queue takes the deliveries; retry.Queue is the real one.
type Queue interface {
	Reserve(ctx context.Context, n int64) (retry.Reservation, error)
	Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error)
	Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error)
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
}

// Deps are the parts that a sender works with.
type Deps struct {
	Queue    Queue
	Messages archive.Messages // where the message may be
	Router   *webhook.Router
	Life     time.Duration           // how long the deliveries may wait for their webhooks
	History  func(a history.Attempt) // nil: nobody is told
	Now      func() time.Time
}

// Request says what is to be sent again.
type Request struct {
	Message    string   // its id
	Endpoint   string   // "": to the endpoints that its recipients go to today
	Recipients []string // none: all of them
	SameID     bool     // with the webhook-ids of the first time
	Once       string   // requests with the same word that isn't "" make the same deliveries
	By         string   // who asks, for the history
}

// Delivery is one that was queued.
type Delivery struct {
	ID         string   `json:"id"` // webhook-id
	Endpoint   string   `json:"endpoint"`
	Recipients []string `json:"recipients"`
}

// Sender sends messages again.
type Sender struct{ deps Deps }

// New wires a sender.
func New(deps Deps) *Sender { return &Sender{deps} }

// Send queues the message again and lists its deliveries.
func (s *Sender) Send(ctx context.Context, r Request) ([]Delivery, error) {
	sent, err := s.send(ctx, r)
	if errors.Is(err, retry.ErrCorrupt) { // it was just delivered, and the queue let go of what we read; it may be kept now
		return s.send(ctx, r)
	}
	return sent, err
}

func (s *Sender) send(ctx context.Context, r Request) ([]Delivery, error) {
	stored, err := archive.Open(ctx, s.deps.Messages, r.Message)
	if errors.Is(err, retry.ErrNotFound) {
		return nil, fmt.Errorf("message %s: %w", r.Message, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("again: %w", err)
	}
	defer stored.Close()
	parsed, err := mail.Parse(stored.Raw(), mail.Limits{})
	if err != nil {
		return nil, fmt.Errorf("again: message %s: %w", r.Message, err)
	}
	plan, err := s.plan(r, stored, parsed.Head())
	if err != nil {
		return nil, err
	}
	plan, dead, err := s.unknown(ctx, plan)
	if err != nil {
		return nil, err
	}
	at := s.deps.Now().UTC().Truncate(time.Millisecond) // before an attempt that comes of it
	sent, err := s.queue(ctx, r, stored, parsed.Subject, plan)
	if err == nil {
		s.tell(r, at, sent, dead)
	}
	return sent, err
}

// unknown leaves out what waits in the queue already, and says which of the rest
// are dead letters that come back to life.
func (s *Sender) unknown(ctx context.Context, ds []*dispatch.Delivery) (rest []*dispatch.Delivery, dead map[string]bool, err error) {
	dead = map[string]bool{}
	for _, d := range ds {
		info, _, err := s.deps.Queue.Get(ctx, d.ID)
		switch {
		case err == nil && info.State != retry.Dead:
			continue
		case err == nil:
			dead[d.ID] = true
		case !errors.Is(err, retry.ErrNotFound):
			return nil, nil, fmt.Errorf("again: %w", err)
		}
		rest = append(rest, d)
	}
	if len(rest) == 0 {
		return nil, nil, ErrWaits
	}
	return rest, dead, nil
}

// plan lists the deliveries as fresh mail would have them.
func (s *Sender) plan(r Request, stored *archive.Mail, head *mail.Message) ([]*dispatch.Delivery, error) {
	to, err := s.recipients(r, stored.Envelope)
	if err != nil {
		return nil, err
	}
	ds := dispatch.Plan(dispatch.NewMail(stored.Envelope, stored.Raw), to, dispatch.Mailboxes, func(*webhook.Endpoint, mail.Recipient) bool { return false })
	if len(ds) == 0 {
		return nil, fmt.Errorf("%w: no endpoint takes mail for %s now; name one", ErrRequest, strings.Join(dispatch.Addresses(stored.Envelope.To), ", "))
	}
	for _, d := range ds {
		if no := dispatch.SenderGate(d.Endpoint, stored.Envelope, head); no != nil {
			return nil, fmt.Errorf("%w: the endpoint %s doesn't take this sender's mail: %w", ErrRequest, d.Endpoint.Name(), no.Err)
		}
	}
	if r.SameID {
		return ds, nil
	}
	if r.Once == "" {
		r.Once = rand.Text()
	}
	for _, d := range ds {
		d.ID = webhook.DeliveryID(stored.Envelope.Key+" again "+r.Once, d.Endpoint.Name(), dispatch.Addresses(d.To))
	}
	return ds, nil
}

// recipients are those of the request, with where each goes.
func (s *Sender) recipients(r Request, env *mail.Envelope) ([]dispatch.Recipient, error) {
	var one *webhook.Endpoint
	if r.Endpoint != "" {
		if one = s.deps.Router.Endpoint(r.Endpoint); one == nil {
			return nil, fmt.Errorf("%w: there is no endpoint %s", ErrRequest, r.Endpoint)
		}
		if one.Terminal() {
			return nil, fmt.Errorf("%w: %s is a terminal, which takes mail now or never", ErrRequest, r.Endpoint)
		}
	}
	for _, a := range r.Recipients {
		if !slices.ContainsFunc(env.To, func(to mail.Recipient) bool { return to.Address == a }) {
			return nil, fmt.Errorf("%w: %s is no recipient of the message", ErrRequest, a)
		}
	}
	var to []dispatch.Recipient
	for _, e := range env.To {
		switch {
		case len(r.Recipients) > 0 && !slices.Contains(r.Recipients, e.Address):
		case one != nil:
			to = append(to, dispatch.Recipient{Recipient: e, Endpoints: []*webhook.Endpoint{one}})
		default:
			to = append(to, dispatch.Recipient{Recipient: e, Endpoints: s.deps.Router.Route(e, env.Verb)})
		}
	}
	return to, nil
}

// queue makes the deliveries durable and tells of them.
func (s *Sender) queue(ctx context.Context, r Request, stored *archive.Mail, subject string, ds []*dispatch.Delivery) ([]Delivery, error) {
	record, err := archive.Record(stored.Envelope, subject, s.deps.Life)
	if err != nil {
		return nil, err
	}
	booked, err := s.deps.Queue.Reserve(ctx, stored.Data.Size())
	if err != nil {
		return nil, fmt.Errorf("again: %w", err)
	}
	defer booked.Release()
	if record.Body, err = s.deps.Queue.Stage(ctx, booked, stored.Data); err != nil {
		return nil, fmt.Errorf("again: %w", err)
	}
	list := make([]retry.NewDelivery, len(ds))
	sent := make([]Delivery, len(ds))
	for i, d := range ds {
		sent[i] = Delivery{d.ID, d.Endpoint.Name(), dispatch.Addresses(d.To)}
		list[i] = retry.NewDelivery{ID: d.ID, Endpoint: sent[i].Endpoint, Recipients: sent[i].Recipients}
	}
	if _, err := s.deps.Queue.Enqueue(ctx, record, list); err != nil {
		return nil, fmt.Errorf("again: %w", err)
	}
	return sent, nil
}

// tell puts what was queued into the message's story.
func (s *Sender) tell(r Request, at time.Time, sent []Delivery, dead map[string]bool) {
	if s.deps.History == nil {
		return
	}
	for _, d := range sent {
		did, settles := "sent again", history.QueuedAgain
		if dead[d.ID] {
			did, settles = "replayed", history.Replayed
		}
		s.deps.History(history.Attempt{Message: r.Message, Delivery: d.ID, Endpoint: d.Endpoint, To: slices.Clone(d.Recipients), At: at,
			Queued: true, Reason: did, Settles: settles, By: r.By})
	}
}
