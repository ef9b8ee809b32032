package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"postern/gateway/smtp/reply"
)

// Timeouts and bounds of the directory webhook.
const (
	askTimeout   = 5 * time.Second  // a client waits for RCPT at least 5 min, but a pipelined group of 100 must not
	maxAnswer    = 64 << 10         // octets of a body that are read; a list of 1,000 members fits
	keepAnswers  = 60 * time.Second // accepted
	keepRefusals = 10 * time.Second // a new mailbox must not wait longer
	maxCached    = 10_000           // answers
)

// Signer adds the signature headers for body to a request's header.
type Signer func(header http.Header, id string, at time.Time, body []byte)

// Remote is the directory webhook: a signed JSON POST for each question,
// answers cached under every field that was sent.
type Remote struct {
	url    string
	client *http.Client
	sign   Signer
	now    func() time.Time
	cache  *cache
	flight singleflight.Group
}

// NewRemote returns a directory at an http or https URL. The client's
// transport is the caller's to choose; redirects are never followed.
func NewRemote(rawURL string, client *http.Client, sign Signer, now func() time.Time) (*Remote, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("directory: POSTERN_DIRECTORY_URL must be an http or https URL")
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Remote{url: rawURL, client: &c, sign: sign, now: now, cache: newCache(maxCached)}, nil
}

// request is the body of the POST.
type request struct {
	Op       string `json:"op"`
	Address  string `json:"address"`
	MailFrom string `json:"mail_from"`
	Client   string `json:"client"`
	Hello    string `json:"helo"`
}

// response is what a directory may answer.
type response struct {
	Address  string   `json:"address"`
	Name     string   `json:"name"`
	Members  []Member `json:"members"`
	Endpoint string   `json:"endpoint"`
	status   int
	location string
}

// Recipient answers RCPT. A forwarded address is looked up once more, without
// a further redirect; where no endpoint serves it the client is told to go
// there itself (551).
func (r *Remote) Recipient(ctx context.Context, q Query, serves func(string) bool) Answer {
	first := r.ask(ctx, "rcpt", q)
	a := classify(first, q.Address)
	if !a.Forwarded() {
		return a
	}
	again := q
	again.Address = a.Address
	second := classify(r.ask(ctx, "rcpt", again), a.Address)
	switch {
	case second.Code/100 == 4:
		return second
	case second.Code == 250 && (second.Endpoint != "" || serves(a.Address)):
		a.Endpoint, a.Name = second.Endpoint, second.Name
		return a
	case serves(a.Address) && second.Code != 551 && second.Code != 251:
		return second
	}
	return notLocal(a.Address)
}

// Verify answers VRFY.
func (r *Remote) Verify(ctx context.Context, q Query, serves func(string) bool) Answer {
	a := classify(r.ask(ctx, "vrfy", q), q.Address)
	switch {
	case a.Code == 450:
		return cannot("Cannot verify now, the directory is unavailable")
	case a.Code == 250 && len(a.Members) > 1:
		a.Reply = reply.New(553, reply.Enhanced{5, 1, 4}, "The name is ambiguous")
	case a.Forwarded() && !serves(a.Address):
		return notLocal(a.Address)
	}
	return a
}

// Expand answers EXPN.
func (r *Remote) Expand(ctx context.Context, q Query) Answer {
	a := classify(r.ask(ctx, "expn", q), q.Address)
	switch {
	case a.Code == 450, a.Code == 250 && len(a.Members) == 0:
		return cannot("Cannot expand this list")
	case a.Code != 250:
		return unknown(q.Address)
	}
	return a
}

// ask answers from the cache or by one request that all who ask the same
// question meanwhile share.
func (r *Remote) ask(ctx context.Context, op string, q Query) response {
	key := strings.Join([]string{op, q.Address, q.MailFrom, q.Client, q.Hello}, "\x00")
	if got, ok := r.cache.get(key, r.now()); ok {
		return got
	}
	done := r.flight.DoChan(key, func() (any, error) {
		own, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), askTimeout, errors.New("the directory took longer than 5s"))
		defer cancel()
		got, keep := r.post(own, op, q)
		r.cache.put(key, got, r.now().Add(keep), keep)
		return got, nil
	})
	select {
	case res := <-done:
		return res.Val.(response)
	case <-ctx.Done():
		return response{}
	}
}

// post makes the request; a zero status is a directory that can't be reached.
func (r *Remote) post(ctx context.Context, op string, q Query) (response, time.Duration) {
	body, err := json.Marshal(request{op, q.Address, q.MailFrom, q.Client, q.Hello})
	if err != nil {
		return response{}, 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return response{}, 0
	}
	req.Header.Set("Content-Type", "application/json")
	at := r.now()
	r.sign(req.Header, fmt.Sprintf("dir_%d", at.UnixNano()), at, body)
	resp, err := r.client.Do(req)
	if err != nil {
		return response{}, 0
	}
	defer resp.Body.Close()
	got := response{}
	if b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err == nil {
		if json.Unmarshal(b, &got) != nil {
			got = response{}
		}
	}
	got.status, got.location = resp.StatusCode, resp.Header.Get("Location")
	return got, freshness(resp, classify(got, q.Address))
}

// freshness says how long an answer may be reused.
func freshness(resp *http.Response, a Answer) time.Duration {
	switch {
	case strings.Contains(strings.ToLower(resp.Header.Get("Cache-Control")), "no-store"), a.Code/100 == 4:
		return 0
	case a.Accepted():
		return keepAnswers
	}
	return keepRefusals
}
