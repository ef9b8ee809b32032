// Package report tells about dead letters: the operator by a webhook, the
// sender by a delivery status notification (RFC 3464). A sender that asked for
// it hears of deliveries too (NOTIFY=SUCCESS, RFC 3461).
//
// A dead letter is in the queue before it is reported and stays there whatever
// becomes of the report: reports wait in memory, in bounded number, are tried a
// few times and then given up, which is logged and counted. Reporting never
// makes the worker wait. Nothing is sent to a sender that didn't prove who it
// is, to the null sender, or in answer to automatic mail.
package report

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/retry"
)

// The results of a report, for the observer.
const (
	ResultSent     = "sent"
	ResultFailed   = "failed"   // tried and given up
	ResultWithheld = "withheld" // the sender must not be told, or asked not to be
	ResultOverflow = "overflow" // too many were waiting
)

// The kinds of reports, for the observer.
const (
	KindWebhook = "webhook"
	KindDSN     = "dsn"
)

// Config is what the operator decides.
type Config struct {
	Domain string      // our host name
	Limits mail.Limits // for reading the messages of notifications
}

// Deps are the parts that a Reporter works with.
type Deps struct {
	Webhook  *Webhook         // nil: nobody is told by a webhook
	Relay    *Relay           // nil: no sender is told
	Messages archive.Messages // where the messages of notifications are
	// Speaks reports whether what an endpoint does with a message of this verb is what
	// becomes of it for the recipient; the sender hears of no other. nil: always.
	Speaks func(endpoint string, to mail.Recipient, verb mail.Verb) bool
	// Observer hears of each report's end: one of the kinds, one of the results.
	Observer func(kind, result string)
	Logger   *slog.Logger     // nil: none
	Now      func() time.Time // nil: time.Now
}

// Reporter sends reports; Run does the work.
type Reporter struct {
	cfg   Config
	deps  Deps
	hooks *outbox
	dsns  *outbox
}

// New returns a reporter.
func New(cfg Config, deps Deps) (*Reporter, error) {
	if deps.Relay != nil && (deps.Messages == nil || cfg.Domain == "") {
		return nil, errors.New("report: notifications need a host name and a store: set POSTERN_DOMAIN and POSTERN_RETRY_STORE, or unset POSTERN_DSN_RELAY")
	}
	if deps.Observer == nil {
		deps.Observer = func(string, string) {}
	}
	if deps.Speaks == nil {
		deps.Speaks = func(string, mail.Recipient, mail.Verb) bool { return true }
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	r := &Reporter{cfg: cfg, deps: deps}
	r.hooks = newOutbox(KindWebhook, deps.Observer)
	r.dsns = newOutbox(KindDSN, deps.Observer)
	return r, nil
}

// letter is a dead letter without its body.
type letter struct {
	info     retry.Info
	envelope []byte // JSON of mail.Envelope
	attempt  retry.Attempt
	at       time.Time
}

// DeadLetter takes note of a dead letter and returns at once; it is
// retry.WorkerDeps.DeadLetter. Of the lease it needs Info and Envelope only.
func (r *Reporter) DeadLetter(_ context.Context, l retry.Lease, reason string, a retry.Attempt) {
	d := letter{info: l.Info, envelope: l.Envelope, attempt: a, at: r.deps.Now()}
	d.info.Reason = reason
	if a.Status != 0 || a.Error != "" {
		d.info.LastStatus, d.info.LastError = a.Status, a.Error
	}
	log := r.deps.Logger.With("delivery", d.info.ID, "message", d.info.MessageID)
	if w := r.deps.Webhook; w != nil {
		r.hooks.add(log, func(ctx context.Context) error { return w.post(ctx, d) })
	}
	if r.deps.Relay != nil {
		r.dsns.add(log, func(ctx context.Context) error { return r.notify(ctx, d) })
	}
}

// Run sends what DeadLetter noted until ctx ends, then what is left, once,
// for a few seconds. End ctx after the worker has ended: what comes later isn't
// reported, which is logged.
func (r *Reporter) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range []*outbox{r.hooks, r.dsns} {
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
	if r.deps.Webhook != nil {
		r.deps.Webhook.client.Close()
	}
}

// notify sends the notification of a dead letter, unless it must not be sent.
func (r *Reporter) notify(ctx context.Context, d letter) error {
	env, err := archive.Envelope(d.envelope)
	if err != nil {
		return permanent(err)
	}
	to := slices.DeleteFunc(archive.Recipients(env, d.info.Recipients), func(to mail.Recipient) bool { return !r.deps.Speaks(d.info.Endpoint, to, env.Verb) })
	if len(to) == 0 {
		return withheld("the endpoint gets a copy of mail that is another's")
	}
	to = askedToHear(to, onFailure)
	if why := withhold(env, to); why != "" {
		return withheld(why)
	}
	stored, err := archive.Open(ctx, r.deps.Messages, d.info.MessageID)
	switch {
	case errors.Is(err, retry.ErrNotFound):
		return withheld("the dead letter was deleted")
	case errors.Is(err, retry.ErrCorrupt), errors.Is(err, archive.ErrEnvelope):
		return permanent(err)
	case err != nil:
		return err
	}
	defer stored.Close()
	raw := stored.Raw()
	m, err := mail.Parse(raw, r.cfg.Limits)
	if err != nil {
		return err
	}
	if m.Automatic != "" {
		return withheld("the mail is automatic: " + string(m.Automatic))
	}
	n := &notice{domain: r.cfg.Domain, at: d.at, env: env, to: to, wording: undelivered(d.info.Reason), last: d.attempt.At, messageID: m.MessageID, raw: raw}
	return r.deps.Relay.send(ctx, r.cfg.Domain, env.From, n)
}

// Delivered takes note of recipients whom a webhook's 2xx reached, and returns
// at once. Only where the sender asked for it and may be told something is sent;
// then the message's header is read now, since the message may be gone soon.
func (r *Reporter) Delivered(env *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source) {
	r.tell(env, to, onSuccess, delivered, m, raw)
}

// Delayed is Delivered for recipients whom the message hasn't reached by the time
// at which its sender wants to know (RFC 2852, 4).
func (r *Reporter) Delayed(env *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source) {
	r.tell(env, to, onDelay, delayed, m, raw)
}

// Returns reports whether the sender would be sent a notification of each of the
// recipients if it failed: it asked for that or said nothing, and may be told.
func (r *Reporter) Returns(env *mail.Envelope, to []mail.Recipient, m *mail.Message) bool {
	told := askedToHear(to, onFailure)
	return r.deps.Relay != nil && len(told) == len(to) && withhold(env, told) == "" && m.Automatic == ""
}

// tell sends what became of the recipients to a sender who asked for it.
func (r *Reporter) tell(env *mail.Envelope, to []mail.Recipient, condition string, what wording, m *mail.Message, raw mail.Source) {
	if r.deps.Relay == nil {
		return
	}
	told := askedToHear(to, condition)
	if withhold(env, told) != "" || m.Automatic != "" {
		return
	}
	head, err := headerOf(raw)
	if err != nil {
		r.deps.Logger.Error("a delivery is not reported: its message can't be read", "message", env.ID, "err", err)
		return
	}
	now := r.deps.Now()
	n := &notice{domain: r.cfg.Domain, at: now, env: env, to: told, wording: what, last: now, messageID: m.MessageID, raw: mail.Bytes(head)}
	r.dsns.add(r.deps.Logger.With("message", env.ID), func(ctx context.Context) error { return r.deps.Relay.send(ctx, r.cfg.Domain, env.From, n) })
}
