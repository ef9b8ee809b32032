package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"postern/gateway/reload"
	"postern/webhook"
	"postern/webhook/payload"
)

// Router makes the endpoints; every one that can't work is named.
func (c *Config) Router(deps reload.Deps) (*webhook.Router, error) {
	var endpoints []*webhook.Endpoint
	var errs []error
	for _, w := range c.Endpoints() {
		ep, err := w.Endpoint(deps)
		if err != nil {
			errs = append(errs, fmt.Errorf("endpoint %s: %w", w.Name, err))
		}
		endpoints = append(endpoints, ep)
	}
	if len(errs) > 0 {
		return nil, &Error{errs}
	}
	return webhook.NewRouter(endpoints), nil
}

// Endpoint makes the endpoint. Its errors each begin with the variable, without
// prefix.
func (w Webhook) Endpoint(deps reload.Deps) (*webhook.Endpoint, error) {
	limit := int64(w.InlineLimit)
	if limit == 0 {
		limit = -1 // 0 is never; the package's zero is its default
	}
	authorities, caErr := w.authorities(deps)
	certificate, certErr := w.certificate(deps)
	ep, err := webhook.NewEndpoint(webhook.Config{
		Name: w.Name, URL: string(w.URL), Match: w.Match, Copy: w.Copy,
		Format: w.Format, Attachments: payload.Where(w.Attachments), Raw: payload.Where(w.Raw), InlineLimit: limit, Markdown: w.Markdown, Signals: w.Signals, ReplyMarker: w.ReplyMarker,
		Secret: w.Secret.Source(deps), Token: w.Token.Source(deps), Username: w.Username, Password: w.Password.Source(deps), Headers: http.Header(w.Headers),
		Timeout: w.Timeout, RetryTimeout: w.RetryTimeout, Concurrency: w.Concurrency, MaxQueued: w.MaxQueued, MaxQueuedBytes: int64(w.MaxQueuedBytes),
		Reject: w.Reject, Defer: w.Defer, Terminal: w.Terminal,
		Require: w.Require, AllowFrom: w.AllowFrom,
		Authorities: authorities, Certificate: certificate,
	})
	return ep, errors.Join(err, caErr, certErr)
}

// Anonymous reports whether nothing in our POSTs proves who made them.
func (w Webhook) Anonymous() bool {
	u, err := url.Parse(string(w.URL))
	return w.Secret.Value == "" && w.Token.Value == "" && w.Username == "" && w.CertFile == "" && len(w.Headers) == 0 && (err != nil || u.User == nil)
}

// authorities are those of CA_FILE, nil for the system's.
func (w Webhook) authorities(deps reload.Deps) (func() *x509.CertPool, error) {
	if w.CAFile == "" {
		return nil, nil
	}
	f, err := reload.Authorities(deps, w.CAFile)
	if err != nil {
		return nil, fmt.Errorf("CA_FILE: %w", err)
	}
	return f.Get, nil
}

// certificate is that of CERT_FILE and KEY_FILE, nil for none.
func (w Webhook) certificate(deps reload.Deps) (func() *tls.Certificate, error) {
	if w.CertFile == "" || w.KeyFile == "" { // one alone is refused elsewhere
		return nil, nil
	}
	f, err := reload.Certificate(deps, w.CertFile, w.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("CERT_FILE: %w", err)
	}
	return f.Get, nil
}

// Domains are the domains that the patterns name.
func (c *Config) Domains() []string {
	words := slices.Clone(c.Directory.Recipients)
	for _, w := range c.Endpoints() {
		words = append(words, w.Match...)
	}
	var all []string
	for _, word := range words {
		p, err := webhook.ParsePattern(word)
		if d := p.Domain(); err == nil && d != "" && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}
