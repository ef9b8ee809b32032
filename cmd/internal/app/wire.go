package app

import (
	"context"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway"
	"postern/gateway/auth"
	"postern/gateway/budget"
	"postern/gateway/content"
	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/metrics"
	"postern/gateway/reload"
	"postern/gateway/report"
	"postern/gateway/rspamd"
	"postern/gateway/spool"
	"postern/gateway/turn"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

func (a *App) gatewayConfig() gateway.Config {
	c := a.cfg
	return gateway.Config{
		Domain: c.Listen.Domain, QueueFirst: c.Delivery.Accept == "queue", OneEndpoint: c.SMTP.OneEndpoint,
		EnforceDMARC: c.Sender.DMARC == "enforce", EnforceSpam: c.Sender.RspamdEnforce, Policy: policy(c),
		LogAddresses: dispatch.AddressLog(c.Process.LogAddresses), Version: a.deps.Version,
	}
}

// NewSender POSTs to the endpoints, for serve and for check.
func NewSender(c *config.Config, deps Deps) (*webhook.Sender, error) { return newSender(c, deps, nil) }

func newSender(c *config.Config, deps Deps, p *budget.Processors) (*webhook.Sender, error) {
	return webhook.NewSender(webhook.SenderConfig{Hostname: c.Listen.Domain, UserAgent: deps.userAgent()},
		webhook.SenderDeps{Propagate: deps.propagate, Processors: p})
}

// newDispatcher makes what delivers fresh and queued mail alike.
func (a *App) newDispatcher(router *webhook.Router, sender *webhook.Sender, links *content.Links) (*dispatch.Dispatcher, error) {
	deps := dispatch.Deps{Gate: dispatch.SenderGate, Router: router, Sender: sender, Breakers: a.breakers, Memory: a.budget, Processors: a.processors, Observer: a.metrics, Logger: a.deps.Logger, Now: a.clock.Now, Fault: a.deps.Fault}
	if a.tracer != nil {
		deps.Sender, deps.Step = a.tracer.Sender(sender), a.tracer.Step
	}
	if a.queue != nil {
		deps.Pauses = a.queue
	}
	if links != nil {
		deps.URLs = func(now time.Time) (payload.Links, time.Time) {
			urls := links.At(now)
			return urls, urls.Until()
		}
	}
	x, err := dispatch.New(dispatch.Config{ParseLimits: a.parseLimits(), LogAddresses: dispatch.AddressLog(a.cfg.Process.LogAddresses)}, deps)
	if err == nil {
		metrics.WatchSlots(a.registry, x.Loads)
	}
	return x, err
}

// newGateway makes what answers the engine and the queue.
func (a *App) newGateway(router *webhook.Router, spooler *spool.Spooler, who *directory.Directory) (*gateway.Gateway, error) {
	deps := gateway.Deps{
		Router: router, Dispatch: a.dispatch, Spooler: spooler, Directory: who,
		Observer: a.metrics, Logger: a.deps.Logger, Now: a.clock.Now, Fault: a.deps.Fault,
	}
	if a.tracer != nil {
		deps.Tracer = a.tracer
	}
	deps.History = journal{a.recorder, a.live}
	if a.keeper != nil {
		deps.Keeper = a.keeper
	}
	if a.auth != nil {
		deps.Auth = a.auth
	}
	if filter, err := a.newFilter(); err != nil {
		return nil, err
	} else if filter != nil {
		deps.Filter = filter
	}
	if a.queue == nil {
		deps.Dedup = retry.NewMemoryDedup(maxDedupRecords)
	} else {
		deps.Queue, deps.Dedup = a.queue, a.dedup
		deps.Turn = turn.New(a.queue, a.deps.Logger, a.clock.Now, a.handedOver)
	}
	if a.reporter != nil {
		deps.Reporter = a.reporter
	}
	return gateway.New(a.gatewayConfig(), deps)
}

// newChecker makes what says who sent a mail, nil where nobody wants to know.
func (a *App) newChecker() (*auth.Checker, error) {
	s := a.cfg.Sender
	if !s.Authenticate {
		return nil, nil
	}
	dns, err := auth.NewResolver(s.DNS, a.clock.Now)
	if err != nil {
		return nil, config.Refuse("DNS", err)
	}
	a.onClose("the resolver", func() error { dns.Close(); return nil })
	cfg := auth.Config{Domain: a.cfg.Listen.Domain, Relays: s.TrustedRelays, ResultsOf: s.TrustResultsOf, ResultsBelow: s.TrustResultsBelow, NoDMARC: s.DMARC == "off", Limits: a.parseLimits()}
	return auth.New(cfg, auth.Deps{DNS: dns, Now: a.clock.Now}), nil
}

// newFilter makes the client of rspamd, nil where there is none.
func (a *App) newFilter() (*rspamd.Client, error) {
	if a.cfg.Sender.RspamdURL == "" {
		return nil, nil
	}
	c, err := rspamd.New(string(a.cfg.Sender.RspamdURL), a.cfg.Listen.Domain, a.deps.Logger)
	if err != nil {
		return nil, config.Refuse("RSPAMD_URL", err)
	}
	a.onClose("rspamd", func() error { c.Close(); return nil })
	return c, nil
}

// maxDedupRecords is how many messages have dedup records in memory without a store.
const maxDedupRecords = 10_000

func policy(c *config.Config) retry.Policy {
	p := retry.DefaultPolicy()
	p.First, p.MaxDelay, p.MaxAge = c.Delivery.RetryFirst, c.Delivery.RetryMax, c.Delivery.RetryMaxAge
	return p
}

// clockParted tells that the machine's clock was set away from the program's,
// which goes on, or that they agree again.
func (a *App) clockParted(off time.Duration) {
	if off == 0 {
		a.deps.Logger.Info("the machine's clock and the program's agree again")
		return
	}
	a.deps.Logger.Warn("the machine's clock was set; the program goes on by its own and follows slowly", "off", off.Round(time.Second).String())
}

// restoreBreakers takes up the breakers where the last process left them.
func (a *App) restoreBreakers(ctx context.Context) error {
	a.breakers = retry.NewBreakers(a.clock.Now, func(c retry.BreakerChange) {
		a.metrics.BreakerChanged(c)
		a.deps.Logger.Warn("an endpoint's breaker changed", "endpoint", c.Endpoint, "from", c.From, "to", c.To, "next_probe", c.Until)
	})
	if a.queue == nil {
		return nil
	}
	if err := a.breakers.Restore(ctx, a.queue, a.deps.Logger); err != nil {
		a.deps.Logger.Warn("the breakers start closed, the store can't say how they stood", "err", err)
		return nil
	}
	a.metrics.BreakersRestored(a.breakers.Snapshot())
	return nil
}

func (a *App) newWorker() *retry.Worker {
	deps := retry.WorkerDeps{
		Breakers: a.breakers, Share: a.dispatch.Share, Logger: a.deps.Logger, Now: a.clock.Now, Observer: a.metrics.Worker(),
	}
	if q, ok := a.queue.(interface{ Unclean() bool }); ok {
		deps.Cautious = q.Unclean()
	}
	deps.DeadLetter = func(ctx context.Context, l retry.Lease, reason string, at retry.Attempt) {
		a.gateway.GaveUp(ctx, l, reason, at)
		if a.reporter != nil {
			a.reporter.DeadLetter(ctx, l, reason, at)
		}
	}
	return retry.NewWorker(a.queue, a.gateway, retry.WorkerConfig{Policy: policy(a.cfg), Grace: a.cfg.Process.Grace}, deps)
}

// reportText is how far a text is read for a report, which quotes none of it.
const reportText = 64 << 10

// newReporter tells of dead letters, nil where nobody wants to know.
func (a *App) newReporter(router *webhook.Router) (*report.Reporter, error) {
	d := a.cfg.Delivery
	if a.queue == nil || d.FailureURL == "" && d.DSNRelay == "" {
		return nil, nil
	}
	speaks := func(endpoint string, to mail.Recipient, verb mail.Verb) bool {
		return gateway.SpeaksFor(router, endpoint, to, verb)
	}
	deps := report.Deps{Messages: a.queue, Speaks: speaks, Observer: a.metrics.Reported, Logger: a.deps.Logger}
	var err error
	if d.FailureURL != "" {
		if deps.Webhook, err = report.NewWebhook(string(d.FailureURL), failureSecret(a.cfg, a.deps.reload()), a.deps.call()); err != nil {
			return nil, err
		}
	}
	if d.DSNRelay != "" {
		if deps.Relay, err = report.NewRelay(string(d.DSNRelay), nil); err != nil {
			return nil, err
		}
	}
	return report.New(report.Config{Domain: a.cfg.Listen.Domain, Limits: mail.Limits{TextBytes: reportText}}, deps)
}

// failureSecret signs the failure webhook with the unnumbered endpoint's
// secret, where that is one of Standard Webhooks.
func failureSecret(c *config.Config, deps reload.Deps) webhook.SecretSource {
	if c.Webhook.Format != "postern" {
		return nil
	}
	return c.Webhook.Secret.Source(deps)
}
