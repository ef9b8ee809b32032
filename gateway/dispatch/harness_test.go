package dispatch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a dispatcher in front of real webhooks on loopback.
type bench struct {
	t    *testing.T
	hook *httptest.Server
	*Dispatcher
	breakers *retry.Breakers
	router   *webhook.Router

	mu     sync.Mutex
	bodies [][]byte
	heads  []http.Header
}

// newBench wires a dispatcher whose endpoints POST to answer; the endpoints'
// urls are completed.
func newBench(t *testing.T, answer http.HandlerFunc, deps Deps, configs ...webhook.Config) *bench {
	t.Helper()
	b := &bench{t: t, breakers: retry.NewBreakers(nil, nil)}
	b.hook = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.bodies, b.heads = append(b.bodies, body), append(b.heads, r.Header)
		b.mu.Unlock()
		r.Body = io.NopCloser(http.NoBody)
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(b.hook.Close)
	if len(configs) == 0 {
		configs = []webhook.Config{{Name: "main", Defer: true}}
	}
	var endpoints []*webhook.Endpoint
	for _, c := range configs {
		if c.URL == "" {
			c.URL = b.hook.URL + "/" + c.Name
		}
		ep, err := webhook.NewEndpoint(c)
		b.must(err)
		endpoints = append(endpoints, ep)
	}
	b.router = webhook.NewRouter(endpoints)
	sender, err := webhook.NewSender(webhook.SenderConfig{Hostname: "mx.example"}, webhook.SenderDeps{})
	b.must(err)
	t.Cleanup(sender.Close)
	deps.Router, deps.Sender, deps.Breakers = b.router, sender, b.breakers
	b.Dispatcher, err = New(Config{LogAddresses: LogDomain}, deps)
	b.must(err)
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) posts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bodies)
}

// mail is a message with an attachment of so many octets.
func newMail(t *testing.T, attachment int) *Mail {
	t.Helper()
	raw := mail.Bytes("From: s@client.example\r\nSubject: hello\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody\r\n" +
		"--b\r\nContent-Type: application/x-thing; name=x.bin\r\n\r\n" + string(make([]byte, attachment)) + "\r\n--b--\r\n")
	return NewMail(&mail.Envelope{ID: "m1", Key: "k1", Protocol: "ESMTP", From: "s@client.example", Received: time.Now(), Verb: mail.VerbMail},
		func() mail.Source { return raw })
}

// textMail is a message of nothing but so many octets of text.
func textMail(size int) *Mail {
	raw := mail.Bytes("From: s@client.example\r\nSubject: hello\r\n\r\n" + strings.Repeat("x", size))
	return NewMail(&mail.Envelope{ID: "m1", Key: "k1", Protocol: "ESMTP", From: "s@client.example", Received: time.Now(), Verb: mail.VerbMail},
		func() mail.Source { return raw })
}

// opened is the message, read.
func (b *bench) opened(m *Mail) *Mail {
	b.t.Helper()
	b.must(b.Open(b.t.Context(), m))
	return m
}

// fresh is the delivery of a message to the bench's first endpoint.
func (b *bench) fresh(m *Mail) *Delivery {
	to := []Recipient{{mail.Recipient{Address: "a@in.example"}, b.router.Endpoints()[:1]}}
	return Plan(m, to, Mailboxes, nobodyTook)[0]
}

func (b *bench) queued(m *Mail) *Delivery {
	d := b.fresh(m)
	d.Origin, d.Attempt = Queued, 2
	return d
}

func nobodyTook(*webhook.Endpoint, mail.Recipient) bool { return false }

// urls are made up, and good until a known time.
type urls struct{}

var urlsEnd = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

func (urls) Attachment(id string, _ int, _ string) string { return "https://mx.example/" + id }
func (urls) Raw(id string) string                         { return "https://mx.example/" + id }

func makeURLs(time.Time) (payload.Links, time.Time) { return urls{}, urlsEnd }

// keeper notes until when content was kept.
type keeper struct {
	until []time.Time
	err   error
}

func (k *keeper) keep(_ context.Context, until time.Time) error {
	k.until = append(k.until, until)
	return k.err
}

var errFull = errors.New("the disk is full")
