package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/gateway/smtp/reply"
	"postern/retry"
	"postern/retry/sqlite"
	"postern/webhook"
	"postern/webhook/call"
)

const testSecret = webhook.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

// results counts what the observer hears.
type results struct {
	mu   sync.Mutex
	seen map[string]int
}

func (r *results) observe(kind, result string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]int{}
	}
	r.seen[kind+" "+result]++
}

func (r *results) of(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[what]
}

func openQueue(t *testing.T) retry.Queue {
	t.Helper()
	q, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1, Unsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// verified is an envelope whose sender proved who it is.
func verified() *mail.Envelope {
	return &mail.Envelope{
		ID: "m1", Received: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC), From: "anna@example.org", Hello: "out.example.org",
		To:      []mail.Recipient{{Address: "shop@in.example.com"}, {Address: "crm@in.example.com", Original: "help@in.example.com", ORcpt: "rfc822;help@in.example.com"}},
		Verdict: &mail.Authentication{SenderVerified: true, SPF: mail.SPFResult{Result: "pass", Domain: "example.org"}},
		Trace:   "Received: from out.example.org by mx.example.com;\r\n\tWed, 6 May 2026 07:08:09 +0000\r\n",
	}
}

const testMail = "From: Anna <anna@example.org>\r\nTo: shop@in.example.com\r\nSubject: Order\r\nMessage-ID: <one@example.org>\r\n\r\nTwo pairs of boots, please.\r\n.\r\n"

// bury stores a message and makes its delivery a dead letter, as the worker does.
func bury(t *testing.T, q retry.Queue, env *mail.Envelope, data string) retry.Lease {
	t.Helper()
	ctx := t.Context()
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	res, err := q.Reserve(ctx, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Release()
	ref, err := q.Stage(ctx, res, mail.Bytes(data))
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, r := range env.To {
		to = append(to, r.Address)
	}
	_, err = q.Enqueue(ctx, retry.Message{ID: env.ID, Key: env.ID, Received: env.Received, Life: time.Hour, From: env.From, Subject: "Order", Envelope: b, Body: ref},
		[]retry.NewDelivery{{ID: "d-" + env.ID, Endpoint: "app", Recipients: to}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := q.LeaseID(ctx, "d-"+env.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Dead(ctx, l, retry.ReasonExpired, attempt); err != nil {
		t.Fatal(err)
	}
	l.Attempts = 7
	return l
}

var attempt = retry.Attempt{At: time.Date(2026, 5, 9, 7, 8, 9, 0, time.UTC), Status: 503, Reason: "unavailable", Error: "the webhook answered 503"}

// report runs a reporter over one dead letter and returns what became of it.
func report(t *testing.T, deps Deps, l retry.Lease, reason string) *results {
	t.Helper()
	seen := &results{}
	deps.Observer = seen.observe
	r, err := New(Config{Domain: "mx.example.com"}, deps)
	if err != nil {
		t.Fatal(err)
	}
	r.DeadLetter(t.Context(), l, reason, attempt)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.Run(ended) // sends what waits, once
	return seen
}

func TestFailureWebhook(t *testing.T) {
	var got Failure
	var user, password string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := webhook.Verify(testSecret, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body, time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		if id := r.Header.Get("webhook-id"); id != "dead_d-m1_7" {
			t.Errorf("webhook-id %q", id)
		}
		user, password, _ = r.BasicAuth()
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	w, err := NewWebhook(strings.Replace(srv.URL, "//", "//ops:pass@", 1), func() webhook.Secret { return testSecret }, call.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	l := bury(t, openQueue(t), verified(), testMail)
	if seen := report(t, Deps{Webhook: w}, l, retry.ReasonExpired); seen.of("webhook sent") != 1 {
		t.Fatalf("seen %v", seen.seen)
	}
	want := Failure{Type: "delivery.dead", Version: 1, Timestamp: got.Timestamp, ID: "d-m1", MessageID: "m1", Endpoint: "app",
		Recipients: []string{"shop@in.example.com", "crm@in.example.com"}, From: "anna@example.org", Subject: "Order", Size: int64(len(testMail)),
		Reason: "expired", Attempts: 7, LastStatus: 503, LastError: "the webhook answered 503", Received: verified().Received}
	if fmt.Sprint(got) != fmt.Sprint(want) || user != "ops" || password != "pass" {
		t.Errorf("got  %+v by %s:%s\nwant %+v", got, user, password, want)
	}
}

func TestWebhookErrorsHideTheURL(t *testing.T) {
	w, err := NewWebhook("http://ops:pass-word@127.0.0.1:1/hook?key=se-cret", nil, call.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	err = w.post(t.Context(), letter{})
	if err == nil || strings.Contains(err.Error(), "pass-word") || strings.Contains(err.Error(), "se-cret") {
		t.Errorf("error: %v", err)
	}
	for _, bad := range []string{"ftp://x", "hook", "http://", "http://%zz:se-cret@x"} {
		if _, err := NewWebhook(bad, nil, call.Deps{}); err == nil || strings.Contains(err.Error(), "se-cret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Nobody is told who mustn't be.
func TestWithheld(t *testing.T) {
	q := openQueue(t)
	for name, c := range map[string]struct {
		change func(*mail.Envelope)
		data   string
		sent   bool
	}{
		"verified":     {func(*mail.Envelope) {}, testMail, true},
		"null sender":  {func(e *mail.Envelope) { e.From = "" }, testMail, false},
		"not checked":  {func(e *mail.Envelope) { e.Verdict = nil }, testMail, false},
		"not verified": {func(e *mail.Envelope) { e.Verdict.SenderVerified, e.Verdict.SPF.Result = false, "softfail" }, testMail, false},
		"aligned, and not verified": {func(e *mail.Envelope) {
			e.Verdict = &mail.Authentication{DMARC: mail.DMARCResult{Domain: "example.org"}}
		}, testMail, false},
		"another From, its own client":  {func(e *mail.Envelope) { e.Verdict.SenderVerified = false }, testMail, true},
		"signed in":                     {func(e *mail.Envelope) { e.Verdict, e.Auth = nil, "anna" }, testMail, true},
		"verified as somebody else":     {func(e *mail.Envelope) { e.From = "victim@elsewhere.example" }, testMail, false},
		"verified by DKIM, aligned":     {func(e *mail.Envelope) { e.Verdict.SPF.Result, e.Verdict.DMARC.Domain = "fail", "mail.example.org" }, testMail, true},
		"verified by DKIM, not aligned": {func(e *mail.Envelope) { e.Verdict.SPF.Result, e.Verdict.DMARC.Domain = "fail", "example.net" }, testMail, false},
		"SPF of another domain":         {func(e *mail.Envelope) { e.Verdict.SPF.Domain = "example.net" }, testMail, false},
		"public suffix is no alignment": {func(e *mail.Envelope) {
			e.From, e.Verdict.SPF.Result, e.Verdict.DMARC.Domain = "a@b.co.uk", "fail", "c.co.uk"
		}, testMail, false},
		"NOTIFY=NEVER": {func(e *mail.Envelope) {
			e.To[0].Notify, e.To[1].Notify = []string{"NEVER"}, []string{"SUCCESS", "DELAY"}
		}, testMail, false},
		"NOTIFY=FAILURE of one": {func(e *mail.Envelope) { e.To[0].Notify, e.To[1].Notify = []string{"NEVER"}, []string{"failure"} }, testMail, true},
		"auto-reply":            {func(*mail.Envelope) {}, "Auto-Submitted: auto-replied\r\n" + testMail, false},
		"list mail":             {func(*mail.Envelope) {}, "List-Id: <boots.example.org>\r\nPrecedence: list\r\n" + testMail, false},
	} {
		t.Run(name, func(t *testing.T) {
			env := verified()
			c.change(env)
			env.ID = strings.ReplaceAll(name, " ", "-")
			r := startRelay(t, nil)
			client, _ := NewRelay("smtp://"+r.addr, nil)
			seen := report(t, Deps{Relay: client, Messages: q}, bury(t, q, env, c.data), "rejected")
			if sent := len(r.mails()) == 1; sent != c.sent || sent != (seen.of("dsn sent") == 1) || sent == (seen.of("dsn withheld") == 1) {
				t.Errorf("sent %v, %v", sent, seen.seen)
			}
		})
	}
}

// What the operator deleted in the meantime can't be read any more.
func TestDeletedIsNotReported(t *testing.T) {
	r, q := startRelay(t, nil), openQueue(t)
	l := bury(t, q, verified(), testMail)
	if _, err := q.Delete(t.Context(), retry.Filter{IDs: []string{l.ID}}); err != nil {
		t.Fatal(err)
	}
	client, _ := NewRelay("smtp://"+r.addr, nil)
	if seen := report(t, Deps{Relay: client, Messages: q}, l, "rejected"); seen.of("dsn withheld") != 1 || len(r.mails()) != 0 {
		t.Errorf("%v, %d mails", seen.seen, len(r.mails()))
	}
}

func TestRefusedForGood(t *testing.T) {
	r, q := startRelay(t, nil), openQueue(t)
	r.refuse = reply.Reply{Code: 554, Enhanced: reply.Enhanced{5, 7, 1}}
	client, _ := NewRelay("smtp://"+r.addr, nil)
	l := bury(t, q, verified(), testMail)
	if seen := report(t, Deps{Relay: client, Messages: q}, l, "rejected"); seen.of("dsn failed") != 1 {
		t.Errorf("%v", seen.seen)
	}
	if i, _, err := q.Get(t.Context(), l.ID); err != nil || i.State != retry.Dead {
		t.Errorf("the dead letter: %+v %v", i, err)
	}
}

func TestNewNeedsAStoreForNotifications(t *testing.T) {
	client, _ := NewRelay("smtp://127.0.0.1:1", nil)
	if _, err := New(Config{}, Deps{Relay: client}); err == nil {
		t.Error("New took a relay without a store")
	}
	if _, err := New(Config{}, Deps{}); err != nil {
		t.Error(err)
	}
}

// A sender that asked to hear of deliveries does, about those recipients alone.
func TestDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mail.Envelope)
		data   string
		sent   bool
	}{
		"asked":           {func(e *mail.Envelope) { e.To[1].Notify = []string{"SUCCESS", "FAILURE"} }, testMail, true},
		"not asked":       {func(*mail.Envelope) {}, testMail, false},
		"of another":      {func(e *mail.Envelope) { e.To[0].Notify = []string{"SUCCESS"} }, testMail, false},
		"not verified":    {func(e *mail.Envelope) { e.To[1].Notify, e.Verdict = []string{"SUCCESS"}, nil }, testMail, false},
		"automatic":       {func(e *mail.Envelope) { e.To[1].Notify = []string{"SUCCESS"} }, "Auto-Submitted: auto-generated\r\n" + testMail, false},
		"headers, always": {func(e *mail.Envelope) { e.To[1].Notify, e.DSN = []string{"success"}, &mail.DSN{Ret: "FULL"} }, testMail, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := verified()
			c.change(env)
			server := startRelay(t, nil)
			client, _ := NewRelay("smtp://"+server.addr, nil)
			seen := &results{}
			r, err := New(Config{Domain: "mx.example.com"}, Deps{Relay: client, Messages: openQueue(t), Observer: seen.observe})
			if err != nil {
				t.Fatal(err)
			}
			raw := mail.Bytes(c.data)
			m, err := mail.Parse(raw, mail.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r.Delivered(env, env.To[1:], m, raw)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			r.Run(ended)
			got := server.mails()
			if len(got) == 1 != c.sent {
				t.Fatalf("sent %d, %v", len(got), seen.seen)
			}
			if !c.sent {
				return
			}
			_, parts := openDSN(t, got[0].body)
			for _, want := range []string{"Final-Recipient: rfc822; help@in.example.com\r\nAction: delivered\r\nStatus: 2.0.0"} {
				if !strings.Contains(parts[1].body, want) || strings.Contains(parts[1].body, "shop@") {
					t.Errorf("status:\n%s", parts[1].body)
				}
			}
			if parts[2].header.Get("Content-Type") != "text/rfc822-headers" || strings.Contains(parts[2].body, "boots") || strings.Contains(got[0].body, "tried again") {
				t.Errorf("%s", got[0].body)
			}
		})
	}
}

// A sender that set a time hears of recipients who are late, unless it said that it
// won't; the returned part is the header alone, as of a delivery.
func TestDelayed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mail.Envelope)
		sent   bool
	}{
		"says nothing":  {func(*mail.Envelope) {}, true},
		"asked":         {func(e *mail.Envelope) { e.To[1].Notify = []string{"FAILURE", "delay"} }, true},
		"failures only": {func(e *mail.Envelope) { e.To[1].Notify = []string{"FAILURE"} }, false},
		"never":         {func(e *mail.Envelope) { e.To[1].Notify = []string{"NEVER"} }, false},
		"not verified":  {func(e *mail.Envelope) { e.Verdict = nil }, false},
		"null sender":   {func(e *mail.Envelope) { e.From = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			env := verified()
			c.change(env)
			server := startRelay(t, nil)
			client, _ := NewRelay("smtp://"+server.addr, nil)
			r, err := New(Config{Domain: "mx.example.com"}, Deps{Relay: client, Messages: openQueue(t)})
			if err != nil {
				t.Fatal(err)
			}
			raw := mail.Bytes(testMail)
			m, err := mail.Parse(raw, mail.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r.Delayed(env, env.To[1:], m, raw)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			r.Run(ended)
			got := server.mails()
			if len(got) == 1 != c.sent {
				t.Fatalf("sent %d", len(got))
			}
			if !c.sent {
				return
			}
			_, parts := openDSN(t, got[0].body)
			if !strings.Contains(parts[1].body, "Final-Recipient: rfc822; help@in.example.com\r\nAction: delayed\r\nStatus: 4.4.7") || parts[2].header.Get("Content-Type") != "text/rfc822-headers" {
				t.Errorf("%s", got[0].body)
			}
		})
	}
}

// TestCopiesAreNotReturned: what an endpoint that takes copies didn't take is
// reported to the operator; the sender hears of those for whom there is no other.
func TestCopiesAreNotReturned(t *testing.T) {
	for name, c := range map[string]struct {
		copied string // the recipients for whom it is a copy
		told   string
	}{
		"of both": {"shop@in.example.com crm@in.example.com", ""},
		"of one":  {"shop@in.example.com", "help@in.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			posted := make(chan struct{}, 1)
			srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted <- struct{}{} }))
			defer srv.Close()
			hook, err := NewWebhook(srv.URL, nil, call.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			server, q := startRelay(t, nil), openQueue(t)
			client, _ := NewRelay("smtp://"+server.addr, nil)
			deps := Deps{Relay: client, Messages: q, Webhook: hook, Speaks: func(endpoint string, to mail.Recipient, _ mail.Verb) bool {
				return endpoint != "app" || !strings.Contains(c.copied, to.Address)
			}}
			seen := report(t, deps, bury(t, q, verified(), testMail), "rejected")
			if len(posted) != 1 {
				t.Error("the operator isn't told")
			}
			mails := server.mails()
			if len(mails) == 0 != (c.told == "") || len(mails) == 0 != (seen.of("dsn withheld") == 1) {
				t.Fatalf("%d mails, %v", len(mails), seen.seen)
			}
			if c.told != "" && (!strings.Contains(mails[0].body, "rfc822; "+c.told) || strings.Contains(mails[0].body, "rfc822; shop@")) {
				t.Errorf("%s", mails[0].body)
			}
		})
	}
}

// TestReturns says beforehand whether the sender would hear of a failure.
func TestReturns(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mail.Envelope)
		data   string
		want   bool
	}{
		"verified":     {func(*mail.Envelope) {}, testMail, true},
		"null sender":  {func(e *mail.Envelope) { e.From = "" }, testMail, false},
		"not checked":  {func(e *mail.Envelope) { e.Verdict = nil }, testMail, false},
		"one is NEVER": {func(e *mail.Envelope) { e.To[0].Notify = []string{"NEVER"} }, testMail, false},
		"auto-reply":   {func(*mail.Envelope) {}, "Auto-Submitted: auto-replied\r\n" + testMail, false},
	} {
		env := verified()
		c.change(env)
		m, err := mail.Parse(mail.Bytes(c.data), mail.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		client, _ := NewRelay("smtp://127.0.0.1:1", nil)
		for _, relay := range []*Relay{client, nil} {
			r, err := New(Config{Domain: "mx.example.com"}, Deps{Relay: relay, Messages: openQueue(t)})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.Returns(env, env.To, m), c.want && relay != nil; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}
