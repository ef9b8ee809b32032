// Package call asks an HTTP service one question in JSON and reads one answer:
// the directory, the failure webhook, our own probes.
//
// A call travels as a delivery does (the same connections, TLS and proxy), is
// signed as Standard Webhooks where there is a secret, has one limit for the
// whole of it, never follows a redirect and reads at most MaxAnswer octets. An
// answer of any status is an Answer; an error means that none came, and never
// shows the URL, which may hold secrets. A kept connection that the service had
// closed is no answer of its: the call is made once more.
package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-resty/resty/v2"

	"postern/webhook"
)

// Config says who is called.
type Config struct {
	URL       string               // http or https; userinfo becomes basic auth
	Secret    webhook.SecretSource // whsec_…, signs each call; nil: not signed
	Timeout   time.Duration        // from the call to the last octet of the answer
	MaxAnswer int64                // octets of the answer's body that are read
	// Connections are kept for so many calls at once; 0 is one.
	Connections int
}

// Deps are what a Client works with; each has a default.
type Deps struct {
	UserAgent string                                // "Postern"
	Now       func() time.Time                      // time.Now
	Proxy     func(*http.Request) (*url.URL, error) // http.ProxyFromEnvironment
}

// ErrTimeout is returned when the answer took longer than the timeout.
var ErrTimeout = errors.New("no answer in time")

// ErrSecret is returned for a secret that can't sign.
var ErrSecret = errors.New("not a secret of Standard Webhooks")

// ErrURL is returned by New for a URL that can't be called.
var ErrURL = errors.New("not an http or https URL")

// Client calls one URL; it is safe for concurrent use.
type Client struct {
	cfg   Config
	deps  Deps
	url   string // without userinfo
	user  *url.Userinfo
	resty *resty.Client
}

// Answer is what the service said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxAnswer octets of it
}

// New checks the settings.
func New(c Config, d Deps) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, ErrURL
	}
	if d.UserAgent == "" {
		d.UserAgent = "Postern"
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Proxy == nil {
		d.Proxy = http.ProxyFromEnvironment
	}
	client := &Client{cfg: c, deps: d, user: u.User}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	client.url = u.String()
	r := resty.NewWithClient(&http.Client{Transport: webhook.NewTransport(max(c.Connections, 1), nil, d.Proxy)})
	r.SetDoNotParseResponse(true) // the answer is read by us, capped
	r.SetDisableWarn(true)        // basic auth over http is the operator's choice
	r.SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }))
	r.SetPreRequestHook(replayable)
	client.resty = r
	return client, nil
}

// replayable tells net/http that a POST may be sent again over a new connection
// when a kept one turns out to be closed; without a value the header stays here.
func replayable(_ *resty.Client, req *http.Request) error {
	req.Header["X-Idempotency-Key"] = []string{}
	return nil
}

// Close drops the idle connections.
func (c *Client) Close() { c.resty.GetClient().CloseIdleConnections() }

// Post sends the question as JSON. The id is the call's webhook-id: the same
// for every try of one question.
func (c *Client) Post(ctx context.Context, id string, question any) (Answer, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return Answer{}, err
	}
	r := c.resty.R().SetBody(body).SetHeader("Content-Type", "application/json")
	if err := c.sign(r, id, body); err != nil {
		return Answer{}, err
	}
	return c.do(ctx, http.MethodPost, r)
}

// Get asks without a body, unsigned.
func (c *Client) Get(ctx context.Context) (Answer, error) {
	return c.do(ctx, http.MethodGet, c.resty.R())
}

// sign sets the headers of Standard Webhooks.
func (c *Client) sign(r *resty.Request, id string, body []byte) error {
	at := c.deps.Now()
	r.SetHeaderVerbatim(webhook.HeaderID, id)
	r.SetHeaderVerbatim(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	if c.cfg.Secret == nil || c.cfg.Secret() == "" {
		return nil
	}
	signature, err := webhook.Sign(c.cfg.Secret(), id, at, func(w io.Writer) error { _, err := w.Write(body); return err })
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSecret, err)
	}
	r.SetHeaderVerbatim(webhook.HeaderSignature, signature)
	return nil
}

func (c *Client) do(ctx context.Context, method string, r *resty.Request) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, fmt.Errorf("%w, within %s", ErrTimeout, c.cfg.Timeout))
	defer cancel()
	if c.user != nil {
		password, _ := c.user.Password()
		r.SetBasicAuth(c.user.Username(), password)
	}
	r.SetHeader("Accept", "application/json").SetHeader("User-Agent", c.deps.UserAgent)
	res, err := r.SetContext(ctx).Execute(method, c.url)
	if err != nil {
		return Answer{}, reason(ctx, err)
	}
	defer res.RawBody().Close()
	a := Answer{Status: res.StatusCode(), Header: res.Header()}
	if a.Body, err = io.ReadAll(io.LimitReader(res.RawBody(), c.cfg.MaxAnswer)); err != nil && ctx.Err() != nil {
		return Answer{}, reason(ctx, err)
	}
	return a, nil
}

// reason is why no answer came, without the URL.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err
}
