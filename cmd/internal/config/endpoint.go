package config

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"postern/webhook"
	"postern/webhook/payload"
)

// Router makes the endpoints; every one that can't work is named.
func (c *Config) Router() (*webhook.Router, error) {
	var endpoints []*webhook.Endpoint
	var errs []error
	for _, w := range c.Endpoints() {
		ep, err := webhook.NewEndpoint(w.Endpoint())
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

// Endpoint is the setting as the webhook package takes it.
func (w Webhook) Endpoint() webhook.Config {
	limit := int64(w.InlineLimit)
	if limit == 0 {
		limit = -1 // 0 is never; the package's zero is its default
	}
	return webhook.Config{
		Name: w.Name, URL: string(w.URL), Match: w.Match, Copy: w.Copy,
		Format: w.Format, Attachments: payload.Where(w.Attachments), Raw: payload.Where(w.Raw), InlineLimit: limit,
		Secret: w.Secret.Source(), Token: w.Token.Source(), Username: w.Username, Password: w.Password.Source(), Headers: http.Header(w.Headers),
		Timeout: w.Timeout, RetryTimeout: w.RetryTimeout, Concurrency: w.Concurrency,
		Reject: w.Reject, Defer: w.Defer, Terminal: w.Terminal,
		CAFile: w.CAFile, CertFile: w.CertFile, KeyFile: w.KeyFile,
	}
}

// Domains are the domains that the patterns name.
func (c *Config) Domains() []string {
	patterns := append([]string(nil), c.Directory.Recipients...)
	for _, w := range c.Endpoints() {
		patterns = append(patterns, w.Match...)
	}
	var all []string
	for _, p := range patterns {
		_, domain, found := strings.Cut(p, "@")
		if !found {
			domain = p
		}
		if !strings.Contains(domain, "*") && !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}
