package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"postern/gateway"
	"postern/gateway/directory"
	"postern/gateway/report"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

// router makes the endpoints; every one that can't work is named.
func (c *Config) router() (*webhook.Router, error) {
	var endpoints []*webhook.Endpoint
	var errs []error
	for _, w := range c.Endpoints() {
		ep, err := webhook.NewEndpoint(w.endpoint())
		if err != nil {
			errs = append(errs, fmt.Errorf("endpoint %s: %w", w.Name, err))
		}
		endpoints = append(endpoints, ep)
	}
	if len(errs) > 0 {
		return nil, &configError{errs}
	}
	return webhook.NewRouter(endpoints), nil
}

func (w WebhookConfig) endpoint() webhook.Config {
	limit := int64(w.InlineLimit)
	if limit == 0 {
		limit = -1 // 0 is never; the package's zero is its default
	}
	return webhook.Config{
		Name: w.Name, URL: string(w.URL), Match: w.Match, Copy: w.Copy,
		Format: w.Format, Attachments: payload.Where(w.Attachments), Raw: payload.Where(w.Raw), InlineLimit: limit,
		Secret: w.Secret.source(), Token: w.Token.source(), Username: w.Username, Password: w.Password.source(), Headers: http.Header(w.Headers),
		Timeout: w.Timeout, RetryTimeout: w.RetryTimeout, Concurrency: w.Concurrency,
		Reject: w.Reject, Defer: w.Defer, Terminal: w.Terminal,
		CAFile: w.CAFile, CertFile: w.CertFile, KeyFile: w.KeyFile,
	}
}

// source is the secret as the webhooks read it, nil where there is none.
func (s Secret) source() webhook.SecretSource {
	if s.Value == "" {
		return nil
	}
	return s.Live()
}

func (c *Config) gateway() gateway.Config {
	return gateway.Config{
		Domain: c.Listen.Domain, QueueFirst: c.Delivery.Accept == "queue", OneEndpoint: c.SMTP.OneEndpoint,
		EnforceDMARC: c.Sender.DMARC == "enforce", Policy: c.policy(),
		LogAddresses: gateway.AddressLog(c.Process.LogAddresses), Version: versionString(),
	}
}

func (c *Config) policy() retry.Policy {
	p := retry.DefaultPolicy()
	p.First, p.MaxDelay, p.MaxAge = c.Delivery.RetryFirst, c.Delivery.RetryMax, c.Delivery.RetryMaxAge
	return p
}

// directory says who is a recipient: the patterns, the endpoints' own, and the
// directory webhook.
func (c *Config) directory(router *webhook.Router) (*directory.Directory, error) {
	cfg := directory.Config{
		Serves: func(address string) bool { return router.Match(address) != nil },
		Domain: c.Listen.Domain,
	}
	patterns := append([]string(nil), c.Directory.Recipients...)
	for _, w := range c.Endpoints() {
		patterns = append(patterns, w.Match...)
		cfg.Last = w.Name
	}
	cfg.Accepted = func(domain string) bool { return domainIn(patterns, domain) }
	if len(c.Directory.Recipients) > 0 {
		var static []webhook.Pattern
		for _, s := range c.Directory.Recipients {
			p, err := webhook.ParsePattern(s)
			if err != nil {
				return nil, &configError{[]error{fmt.Errorf("%sRECIPIENTS: %w", envPrefix, err)}}
			}
			static = append(static, p)
		}
		cfg.Static = func(address string) bool {
			for _, p := range static {
				if p.Match(address) {
					return true
				}
			}
			return false
		}
	}
	if c.Directory.URL == "" {
		return directory.New(cfg), nil
	}
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	remote, err := directory.NewRemote(string(c.Directory.URL), client, c.Directory.sign(), time.Now)
	cfg.Remote = remote
	return directory.New(cfg), err
}

// sign signs the questions to the directory where a secret is set.
func (c *DirectoryConfig) sign() directory.Signer {
	secret := c.Secret.source()
	if secret == nil {
		return func(http.Header, string, time.Time, []byte) {}
	}
	return func(h http.Header, id string, at time.Time, body []byte) {
		signature, err := webhook.Sign(secret(), id, at, func(w io.Writer) error { _, err := w.Write(body); return err })
		if err != nil {
			return // a secret that can't be used: the directory refuses the question, the client is told 450
		}
		h.Set(webhook.HeaderID, id)
		h.Set(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
		h.Set(webhook.HeaderSignature, signature)
	}
}

// domainIn reports whether the domain stands in one of the patterns.
func domainIn(patterns []string, domain string) bool {
	for _, p := range patterns {
		if p == "*" || p == "*@*" {
			return true
		}
		if _, d, ok := strings.Cut(p, "@"); ok && strings.EqualFold(d, domain) {
			return true
		}
	}
	return false
}

// restoreBreakers takes up the breakers where the last process left them.
func (a *app) restoreBreakers(ctx context.Context) error {
	a.breakers = retry.NewBreakers(nil, func(c retry.BreakerChange) {
		a.metrics.BreakerChanged(c)
		a.log.Warn("an endpoint's breaker changed", "endpoint", c.Endpoint, "from", c.From, "to", c.To, "next_probe", c.Until)
	})
	if a.queue == nil {
		return nil
	}
	if err := a.breakers.Restore(ctx, a.queue, a.log); err != nil {
		return err
	}
	a.metrics.BreakersRestored(a.breakers.Snapshot())
	return nil
}

func (a *app) workerOptions() retry.WorkerOptions {
	limits := map[string]int{}
	for _, w := range a.cfg.Endpoints() {
		limits[w.Name] = w.Concurrency
	}
	o := retry.WorkerOptions{
		Policy: a.cfg.policy(), Breakers: a.breakers, Logger: a.log, Grace: a.cfg.Process.Grace, Observer: a.metrics.Worker(),
		Concurrency: func(name string) int { return limits[name] },
	}
	if a.reporter != nil {
		o.DeadLetter = a.reporter.DeadLetter
	}
	return o
}

// newReporter tells of dead letters, nil where nobody wants to know.
func (a *app) newReporter() (*report.Reporter, error) {
	d := a.cfg.Delivery
	if a.queue == nil || d.FailureURL == "" && d.DSNRelay == "" {
		return nil, nil
	}
	o := report.Options{Domain: a.cfg.Listen.Domain, Messages: a.queue, Observer: a.metrics.Reported, Logger: a.log}
	var err error
	if d.FailureURL != "" {
		if o.Webhook, err = report.NewWebhook(string(d.FailureURL), a.cfg.failureSecret()); err != nil {
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
func (c *Config) failureSecret() webhook.SecretSource {
	if c.Webhook.Format != "postern" {
		return nil
	}
	return c.Webhook.Secret.source()
}

// smtpServer wires the protocol engine.
func (a *app) smtpServer() error {
	options := []smtp.Option{smtp.WithLogger(a.log), smtp.WithObserver(a.metrics.SMTP())}
	if a.certificate != nil {
		t, err := serverTLS(a.cfg.TLS, a.certificate)
		if err != nil {
			return err
		}
		options = append(options, smtp.WithTLS(t))
	}
	if a.cfg.TLS.UsersFile != "" {
		u, err := newUsers(a.cfg.TLS.UsersFile, a.log)
		if err != nil {
			return err
		}
		options = append(options, smtp.WithAuthenticator(u))
	}
	server, err := smtp.NewServer(a.cfg.smtp(), a.gateway, options...)
	a.smtp = server
	return err
}

func (c *Config) smtp() smtp.Config {
	s := smtp.DefaultConfig(c.Listen.Domain)
	s.MaxSize, s.MaxRecipients = int64(c.SMTP.MaxSize), c.SMTP.MaxRecipients
	s.MaxConnections, s.MaxConnectionsPerClient = c.SMTP.MaxConnections, c.SMTP.MaxConnectionsPerClient
	s.CommandTimeout = c.SMTP.Timeout
	s.DataTimeout = min(s.DataTimeout, c.SMTP.Timeout)
	s.SessionTimeout, s.MinDataRate, s.GreetDelay = c.SMTP.SessionTimeout, int64(c.SMTP.MinDataRate), c.SMTP.GreetDelay
	s.MaxHeader, s.MaxReceived, s.MaxMessages = int64(c.SMTP.MaxHeader), c.SMTP.MaxReceived, c.SMTP.MaxMessages
	s.HardErrors, s.SoftErrors = c.SMTP.MaxErrors, min(s.SoftErrors, c.SMTP.MaxErrors)
	s.MaxRefused, s.MaxJunk, s.MaxAuthFailures = c.SMTP.MaxRefused, c.SMTP.MaxJunk, c.SMTP.MaxAuthFailures
	if c.SMTP.BareLF == "normalize" {
		s.BareLF = smtp.BareLFNormalize
	}
	switch c.TLS.Mode {
	case "offer":
		s.TLS = smtp.TLSOffer
	case "require":
		s.TLS = smtp.TLSRequire
	}
	s.AuthRequired = c.TLS.AuthRequired
	s.ProxyFrom = []netip.Prefix(c.Listen.ProxyFrom)
	s.Legacy, s.Turn, s.Verify, s.Expand = c.SMTP.Legacy, c.SMTP.Turn, c.SMTP.Vrfy, c.SMTP.Expn
	s.DSN, s.DeliverBy = c.Delivery.DSNRelay != "", c.Delivery.DSNRelay != ""
	return s
}

// serverTLS asks for client certificates where authorities for them are named.
func serverTLS(c TLSConfig, pair *keyPair) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}
	if c.ClientCAFile == "" {
		return t, nil
	}
	pool, err := readCAs(c.ClientCAFile)
	t.ClientCAs, t.ClientAuth = pool, tls.VerifyClientCertIfGiven
	return t, err
}
