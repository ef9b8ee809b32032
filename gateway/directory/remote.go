package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"postern/webhook/call"

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

	keepConnections = 64 // to the directory: a pipelined group's

	restAfterTimeout = 10 * time.Second // nobody waits for a directory that let somebody wait in vain
)

// Remote is the directory webhook: a signed JSON POST for each question,
// answers cached under every field that was sent. One that doesn't answer in
// time rests: for a while nobody waits for it.
type Remote struct {
	client   *call.Client
	observer Observer
	now      func() time.Time
	cache    *cache
	flight   singleflight.Group
	rests    atomic.Int64 // until then it isn't asked, Unix nanoseconds
}

// NewRemote returns the directory at the URL; its sizes are ours, and its time
// where none is given. A nil observer watches nothing.
func NewRemote(c call.Config, deps call.Deps, o Observer) (*Remote, error) {
	c.Timeout = cmp.Or(c.Timeout, askTimeout)
	c.MaxAnswer, c.Connections = maxAnswer, keepConnections
	client, err := call.New(c, deps)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if o == nil {
		o = nobody{}
	}
	return &Remote{client: client, observer: o, now: deps.Now, cache: newCache(maxCached)}, nil
}

// Close drops the idle connections.
func (r *Remote) Close() { r.client.Close() }

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

// Recipient answers RCPT.
func (r *Remote) Recipient(ctx context.Context, q Query, serves func(string) bool) Answer {
	a := r.answer(ctx, "rcpt", q)
	if a.Forwarded() {
		return r.forward(ctx, "rcpt", q, a, serves)
	}
	return a
}

// forward looks the address up that another was forwarded to, without a further
// redirect; where no endpoint serves it the client is told to go there itself (551).
func (r *Remote) forward(ctx context.Context, op string, q Query, a Answer, serves func(string) bool) Answer {
	q.Address = a.Address
	second := r.answer(ctx, op, q)
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
	a := r.answer(ctx, "vrfy", q)
	if a.Forwarded() {
		a = r.forward(ctx, "vrfy", q, a, serves)
	}
	switch {
	case a.Code == 450:
		return cannot("Cannot verify now, the directory is unavailable")
	case a.Code == 250 && len(a.Members) > 1:
		a.Reply = reply.New(553, reply.Enhanced{5, 1, 4}, "The name is ambiguous")
	}
	return a
}

// Expand answers EXPN.
func (r *Remote) Expand(ctx context.Context, q Query) Answer {
	a := r.answer(ctx, "expn", q)
	switch {
	case a.Code == 450, a.Code == 250 && len(a.Members) == 0:
		return cannot("Cannot expand this list")
	case a.Code != 250:
		return unknown(q.Address)
	}
	return a
}

// answer asks, and tells the observer.
func (r *Remote) answer(ctx context.Context, op string, q Query) Answer {
	began := r.now()
	got, from := r.ask(ctx, op, q)
	a := classify(got, q.Address)
	r.observer.LookedUp(from, resultOf(a), r.now().Sub(began))
	return a
}

// ask answers from the cache or by one request that all who ask the same
// question meanwhile share.
func (r *Remote) ask(ctx context.Context, op string, q Query) (response, Source) {
	key := strings.Join([]string{op, q.Address, q.MailFrom, q.Client, q.Hello}, "\x00")
	if got, ok := r.cache.get(key, r.now()); ok {
		return got, Cached
	}
	if r.now().UnixNano() < r.rests.Load() {
		return response{}, Rested
	}
	done := r.flight.DoChan(key, func() (any, error) {
		got, keep := r.post(context.WithoutCancel(ctx), op, q)
		r.cache.put(key, got, r.now().Add(keep), keep)
		return got, nil
	})
	select {
	case res := <-done:
		return res.Val.(response), Asked
	case <-ctx.Done():
		return response{}, Asked
	}
}

// post makes the request; a zero status is a directory that can't be reached.
func (r *Remote) post(ctx context.Context, op string, q Query) (response, time.Duration) {
	a, err := r.client.Post(ctx, fmt.Sprintf("dir_%d", r.now().UnixNano()), request{op, q.Address, q.MailFrom, q.Client, q.Hello})
	if err != nil {
		if errors.Is(err, call.ErrTimeout) {
			r.rests.Store(r.now().Add(restAfterTimeout).UnixNano())
		}
		return response{}, 0
	}
	got := response{}
	if json.Unmarshal(a.Body, &got) != nil {
		got = response{}
	}
	got.status, got.location = a.Status, a.Header.Get("Location")
	return got, freshness(a.Header, classify(got, q.Address))
}

// freshness says how long an answer may be reused.
func freshness(h http.Header, a Answer) time.Duration {
	switch {
	case strings.Contains(strings.ToLower(h.Get("Cache-Control")), "no-store"), a.Code/100 == 4:
		return 0
	case a.Accepted():
		return keepAnswers
	}
	return keepRefusals
}
