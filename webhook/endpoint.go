package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"postern/gateway/text"
	"postern/webhook/payload"
)

// Endpoint is one webhook, its settings checked. It never changes and is safe
// for concurrent use.
type Endpoint struct {
	cfg      Config
	url      *url.URL // without userinfo
	patterns Patterns
	senders  Patterns // of AllowFrom, nil: all
	format   payload.Format
	rejects  Statuses
	tls      *tls.Config // nil for http
}

// NewEndpoint checks the settings. All errors come at once, each with its field
// and what would be valid; none shows a secret.
func NewEndpoint(c Config) (*Endpoint, error) {
	c = c.withDefaults()
	e := &Endpoint{}
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	check(e.setURL(&c))
	check(e.setMatch(c.Match))
	check(e.setSenders(&c))
	check(e.setFormat(&c))
	check(e.setRejects(c.Reject))
	check(checkLimits(c))
	check(checkHeaders(c))
	check(checkSecrets(c, e.format))
	e.setTLS(c)
	e.cfg = c
	if c.Name == "" {
		check(errors.New("NAME: an endpoint needs a name, which must stay the same over restarts"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

// setURL takes the userinfo out of the URL and makes basic auth of it.
func (e *Endpoint) setURL(c *Config) error {
	const want = "use http://host/path or https://host/path"
	if c.URL == "" {
		return errors.New("URL: missing; " + want)
	}
	u, err := url.Parse(c.URL)
	if err != nil { // the error would show the URL, and with it its userinfo
		return errors.New("URL: not a URL; " + want)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return fmt.Errorf("URL: scheme %q, host %q; %s", u.Scheme, u.Host, want)
	}
	if u.User != nil {
		if c.Username == "" {
			c.Username = u.User.Username()
		}
		if p, ok := u.User.Password(); ok && c.Password == nil {
			c.Password = Fixed(p)
		}
		u.User = nil
	}
	u.Fragment, u.RawFragment = "", ""
	e.url = u
	return nil
}

func (e *Endpoint) setMatch(list []string) (err error) {
	if len(list) == 0 {
		e.patterns = Patterns{everyone}
		return nil
	}
	if e.patterns, err = ParsePatterns(list); err != nil {
		return fmt.Errorf("MATCH: %w", err)
	}
	return nil
}

// Verified is the word of Require.
const Verified = "verified"

func (e *Endpoint) setSenders(c *Config) (err error) {
	if c.Require != "" && c.Require != Verified {
		return fmt.Errorf("REQUIRE: %q; use %s or nothing", c.Require, Verified)
	}
	if len(c.AllowFrom) == 0 {
		return nil
	}
	c.Require = Verified
	if e.senders, err = ParsePatterns(c.AllowFrom); err != nil {
		return fmt.Errorf("ALLOW_FROM: %w", err)
	}
	return nil
}

// Verified reports whether only mail with a verified From may pass.
func (e *Endpoint) Verified() bool { return e.cfg.Require == Verified }

// AllowsFrom reports whether a verified From may write.
func (e *Endpoint) AllowsFrom(address string) bool {
	return e.senders == nil || e.senders.Match(address)
}

func (e *Endpoint) setFormat(c *Config) error {
	var errs []error
	f, err := payload.ByName(c.Format)
	if err != nil {
		errs = append(errs, fmt.Errorf("FORMAT: %w", err))
	}
	e.format = f
	places := []payload.Where{payload.Inline, payload.URL, payload.Omit}
	if !slices.Contains(places, c.Attachments) {
		errs = append(errs, fmt.Errorf("ATTACHMENTS: %q; use inline, url or omit", c.Attachments))
	}
	if !slices.Contains(places, c.Raw) {
		errs = append(errs, fmt.Errorf("RAW: %q; use omit, inline or url", c.Raw))
	}
	return errors.Join(errs...)
}

func (e *Endpoint) setRejects(list []string) error {
	s, err := ParseStatuses(list)
	if err != nil {
		return fmt.Errorf("REJECT: %w", err)
	}
	if f, ok := e.format.(payload.Stopper); ok {
		s.stops = f.Stops
	}
	e.rejects = s
	return nil
}

func checkLimits(c Config) error {
	switch {
	case c.Timeout < 0:
		return fmt.Errorf("TIMEOUT: %s; use a positive duration such as 10s", c.Timeout)
	case c.RetryTimeout < 0:
		return fmt.Errorf("RETRY_TIMEOUT: %s; use a positive duration such as 60s", c.RetryTimeout)
	case c.Concurrency < 0:
		return fmt.Errorf("CONCURRENCY: %d; use 1 or more", c.Concurrency)
	}
	return nil
}

func checkHeaders(c Config) error {
	for name, values := range c.Headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("HEADERS: %q is no header name; write one \"Name: value\" a line", name)
		}
		if slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Connection"}, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("HEADERS: %s is ours to set; leave it out", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("HEADERS: the value of %s has control characters", name)
			}
		}
	}
	return nil
}

func checkSecrets(c Config, f payload.Format) error {
	if c.Token != nil && (c.Username != "" || c.Password != nil) {
		return errors.New("TOKEN: a bearer token and basic auth exclude each other; set one of them")
	}
	k, keyed := f.(payload.Keyed)
	switch {
	case keyed && k.NeedsKey() && c.Secret.now() == "":
		return fmt.Errorf("SECRET: the format %s signs with the service's key; set it", f.Name())
	case keyed, c.Secret == nil:
		return nil
	}
	_, err := signingKeys(c.Secret.now())
	return err
}

func (e *Endpoint) setTLS(c Config) {
	if e.url != nil && (e.url.Scheme == "https" || c.Authorities != nil || c.Certificate != nil) {
		e.tls = clientTLS(c, e.url.Hostname())
	}
}

// Name is the endpoint's name.
func (e *Endpoint) Name() string { return e.cfg.Name }

// Terminal reports whether it is a live channel, for SEND, SOML and SAML.
func (e *Endpoint) Terminal() bool { return e.cfg.Terminal }

// Defers reports whether a transient failure may wait in the queue; else it
// stays with the sender.
func (e *Endpoint) Defers() bool { return e.cfg.Defer }

// Copy reports whether it takes copies of what is another endpoint's.
func (e *Endpoint) Copy() bool { return e.cfg.Copy }

// Secure reports whether deliveries travel over TLS, as REQUIRETLS asks.
func (e *Endpoint) Secure() bool { return e.url.Scheme == "https" }

// PerRecipient reports whether its format carries one recipient a POST.
func (e *Endpoint) PerRecipient() bool { return e.format.PerRecipient() }

// CatchAll reports whether it takes every recipient.
func (e *Endpoint) CatchAll() bool { return slices.ContainsFunc(e.patterns, Pattern.CatchAll) }

// Format is the word of FORMAT=.
func (e *Endpoint) Format() string { return e.format.Name() }

// Timeout is how long an answer may take while a sender waits.
func (e *Endpoint) Timeout() time.Duration { return e.cfg.Timeout }

// RetryTimeout is how long an answer may take when nobody waits.
func (e *Endpoint) RetryTimeout() time.Duration { return e.cfg.RetryTimeout }

// MaxQueued is how many deliveries, and octets of them, may wait for the endpoint;
// 0: no bound of its own.
func (e *Endpoint) MaxQueued() (deliveries, octets int64) {
	return e.cfg.MaxQueued, e.cfg.MaxQueuedBytes
}

// Concurrency is how many POSTs may be under way at once; 0: nobody said.
func (e *Endpoint) Concurrency() int { return e.cfg.Concurrency }

// Host is the URL's host and port.
func (e *Endpoint) Host() (name string, port int) {
	port, err := strconv.Atoi(e.url.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[e.url.Scheme]
	}
	return e.url.Hostname(), port
}

// URL is the address to show: without userinfo, and without the query's
// values, which hold secrets often enough.
func (e *Endpoint) URL() string {
	return text.RedactURL(e.url.String())
}

// String implements fmt.Stringer.
func (e *Endpoint) String() string { return e.cfg.Name + " (" + e.URL() + ")" }

// LogValue implements slog.LogValuer.
func (e *Endpoint) LogValue() slog.Value { return slog.StringValue(e.cfg.Name) }
