package app

import (
	"net/netip"

	"postern/cmd/internal/config"
	"postern/gateway/smtp"
	"postern/gateway/smtp/users"
)

// smtpServer wires the protocol engine.
func (a *App) smtpServer() error {
	observer := a.metrics.SMTP()
	if a.tracer != nil {
		observer = a.tracer.Observer(observer)
	}
	options := []smtp.Option{smtp.WithLogger(a.deps.Logger), smtp.WithObserver(observer), smtp.WithMemory(a.budget), smtp.WithProcessors(a.processors)}
	if a.certificate != nil {
		t, err := a.serverTLS()
		if err != nil {
			return err
		}
		options = append(options, smtp.WithTLS(t))
	}
	if a.cfg.TLS.UsersFile != "" {
		u, err := users.Open(a.cfg.TLS.UsersFile, a.deps.reload())
		if err != nil {
			return config.Refuse("USERS_FILE", err)
		}
		options = append(options, smtp.WithAuthenticator(u))
	}
	if a.cfg.Directory.URL != "" {
		options = append(options, smtp.WithResolver(a.gateway))
	}
	server, err := smtp.NewServer(smtpConfig(a.cfg), a.gateway, options...)
	a.smtp = server
	return err
}

func smtpConfig(c *config.Config) smtp.Config {
	s := smtp.DefaultConfig(c.Listen.Domain)
	s.MaxSize, s.MaxRecipients = int64(c.SMTP.MaxSize), c.SMTP.MaxRecipients
	s.MaxConnections, s.MaxConnectionsPerClient = c.SMTP.MaxConnections, c.SMTP.MaxConnectionsPerClient
	s.CommandTimeout = c.SMTP.Timeout
	s.DataTimeout = min(s.DataTimeout, c.SMTP.Timeout)
	s.SessionTimeout, s.MinDataRate, s.GreetDelay = c.SMTP.SessionTimeout, int64(c.SMTP.MinDataRate), c.SMTP.GreetDelay
	s.MaxHeader, s.MaxReceived, s.MaxMessages = int64(c.SMTP.MaxHeader), c.SMTP.MaxReceived, c.SMTP.MaxMessages
	s.HardErrors, s.SoftErrors = c.SMTP.MaxErrors, min(s.SoftErrors, c.SMTP.MaxErrors)
	s.MaxRefused, s.MaxJunk, s.MaxAuthFailures = c.SMTP.MaxRefused, c.SMTP.MaxJunk, c.SMTP.MaxAuthFailures
	s.Strict = c.SMTP.Strict
	if c.SMTP.BareLF == "reject" {
		s.BareLF = smtp.BareLFReject
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
