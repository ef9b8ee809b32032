package app

import (
	"context"

	"postern/cmd/internal/config"
	"postern/gateway"
	"postern/gateway/reload"
	"postern/gateway/report"
	"postern/retry"
	"postern/webhook"
)

func (a *App) gatewayConfig() gateway.Config {
	c := a.cfg
	return gateway.Config{
		Domain: c.Listen.Domain, QueueFirst: c.Delivery.Accept == "queue", OneEndpoint: c.SMTP.OneEndpoint,
		EnforceDMARC: c.Sender.DMARC == "enforce", Policy: policy(c),
		LogAddresses: gateway.AddressLog(c.Process.LogAddresses), Version: a.deps.Version,
	}
}

// NewSender POSTs to the endpoints, for serve and for check.
func NewSender(c *config.Config, deps Deps) (*webhook.Sender, error) {
	return webhook.NewSender(webhook.SenderOptions{Logger: deps.Logger, Hostname: c.Listen.Domain, UserAgent: deps.userAgent()})
}

func policy(c *config.Config) retry.Policy {
	p := retry.DefaultPolicy()
	p.First, p.MaxDelay, p.MaxAge = c.Delivery.RetryFirst, c.Delivery.RetryMax, c.Delivery.RetryMaxAge
	return p
}

// restoreBreakers takes up the breakers where the last process left them.
func (a *App) restoreBreakers(ctx context.Context) error {
	a.breakers = retry.NewBreakers(nil, func(c retry.BreakerChange) {
		a.metrics.BreakerChanged(c)
		a.deps.Logger.Warn("an endpoint's breaker changed", "endpoint", c.Endpoint, "from", c.From, "to", c.To, "next_probe", c.Until)
	})
	if a.queue == nil {
		return nil
	}
	if err := a.breakers.Restore(ctx, a.queue, a.deps.Logger); err != nil {
		return err
	}
	a.metrics.BreakersRestored(a.breakers.Snapshot())
	return nil
}

func (a *App) workerOptions() retry.WorkerOptions {
	limits := map[string]int{}
	for _, w := range a.cfg.Endpoints() {
		limits[w.Name] = w.Concurrency
	}
	o := retry.WorkerOptions{
		Policy: policy(a.cfg), Breakers: a.breakers, Logger: a.deps.Logger, Grace: a.cfg.Process.Grace, Observer: a.metrics.Worker(),
		Concurrency: func(name string) int { return limits[name] },
	}
	if a.reporter != nil {
		o.DeadLetter = a.reporter.DeadLetter
	}
	return o
}

// newReporter tells of dead letters, nil where nobody wants to know.
func (a *App) newReporter() (*report.Reporter, error) {
	d := a.cfg.Delivery
	if a.queue == nil || d.FailureURL == "" && d.DSNRelay == "" {
		return nil, nil
	}
	o := report.Options{Domain: a.cfg.Listen.Domain, Messages: a.queue, Observer: a.metrics.Reported, Logger: a.deps.Logger}
	var err error
	if d.FailureURL != "" {
		if o.Webhook, err = report.NewWebhook(string(d.FailureURL), failureSecret(a.cfg, a.deps.reload()), a.deps.call()); err != nil {
			return nil, err
		}
	}
	if d.DSNRelay != "" {
		if o.Relay, err = report.NewRelay(string(d.DSNRelay), nil); err != nil {
			return nil, err
		}
	}
	return report.New(o)
}

// failureSecret signs the failure webhook with the unnumbered endpoint's
// secret, where that is one of Standard Webhooks.
func failureSecret(c *config.Config, deps reload.Deps) webhook.SecretSource {
	if c.Webhook.Format != "postern" {
		return nil
	}
	return c.Webhook.Secret.Source(deps)
}
