// Package rspamd asks an rspamd what it thinks of a mail.
//
// It advises and never holds up mail: an rspamd that is away, slow or says what
// can't be read has no opinion, which is logged. Whether to obey is for the caller.
package rspamd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/gateway/mail"
)

// Timeout is how long an opinion is waited for.
const Timeout = 5 * time.Second

const (
	maxAnswer  = 1 << 20 // octets of an answer that are read
	maxSymbols = 200     // of an opinion
)

// Client asks one rspamd.
type Client struct {
	url    string
	domain string
	http   *http.Client
	log    *slog.Logger
}

// New returns a client of the rspamd at a base URL, such as
// http://127.0.0.1:11333; domain is our own name.
func New(base, domain string, log *slog.Logger) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("rspamd: %q is no URL; use http://host:11333", base)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.MaxIdleConnsPerHost = nil, 32
	return &Client{url: strings.TrimSuffix(u.String(), "/") + "/checkv2", domain: domain, http: &http.Client{Transport: t}, log: log}, nil
}

// Close lets go of kept connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Check returns the opinion of a message, its octets as received; nil where there
// is none.
func (c *Client) Check(ctx context.Context, e *mail.Envelope, data mail.Source) *mail.Spam {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s, err := c.ask(ctx, e, data)
	if err != nil {
		c.log.Warn("rspamd has no opinion of a message", "message", e.ID, "err", err)
		return nil
	}
	return s
}

func (c *Client) ask(ctx context.Context, e *mail.Envelope, data mail.Source) (*mail.Spam, error) {
	body, err := data.Open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, io.NopCloser(body))
	if err != nil {
		return nil, err
	}
	r.ContentLength = data.Size()
	c.describe(r.Header, e)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
		return nil, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return opinion(io.LimitReader(resp.Body, maxAnswer))
}

// describe tells what the envelope says. A value that can't stand in a header is
// left out.
func (c *Client) describe(h http.Header, e *mail.Envelope) {
	add := func(name, value string) {
		if value != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			h.Add(name, value)
		}
	}
	add("Queue-Id", e.ID)
	add("From", e.From)
	for _, to := range e.To {
		add("Rcpt", to.Address)
	}
	if e.Client.IsValid() {
		add("Ip", e.Client.Addr().Unmap().WithZone("").String())
	}
	add("Helo", e.Hello)
	add("Hostname", e.ClientName)
	add("User", e.Auth)
	add("Mta-Name", c.domain)
}

// opinion reads an answer.
func opinion(r io.Reader) (*mail.Spam, error) {
	var a struct {
		Score   *float64 `json:"score"`
		Action  string   `json:"action"`
		Symbols map[string]struct {
			Score float64 `json:"score"`
		} `json:"symbols"`
	}
	if err := json.NewDecoder(r).Decode(&a); err != nil {
		return nil, fmt.Errorf("its answer can't be read: %w", err)
	}
	if a.Score == nil || a.Action == "" {
		return nil, errors.New("its answer lacks score or action")
	}
	s := &mail.Spam{Score: *a.Score, Action: a.Action, Symbols: make([]mail.SpamSymbol, 0, len(a.Symbols))}
	for name, v := range a.Symbols {
		s.Symbols = append(s.Symbols, mail.SpamSymbol{Name: name, Score: v.Score})
	}
	slices.SortFunc(s.Symbols, func(a, b mail.SpamSymbol) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name))
	})
	s.Symbols = s.Symbols[:min(len(s.Symbols), maxSymbols)]
	return s, nil
}
