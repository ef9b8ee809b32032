package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/archive"
	"postern/gateway/smtp/reply"
	"postern/retry"
)

// waitingLease takes a lease on the only delivery that waits.
func waitingLease(h *harness) retry.Lease {
	h.t.Helper()
	list := h.waiting()
	if len(list) != 1 {
		h.t.Fatalf("%d deliveries wait", len(list))
	}
	l, err := h.queue.LeaseID(context.Background(), list[0].ID, time.Minute)
	h.must(err)
	return l
}

// deferred is a harness in whose queue one delivery waits.
func deferred(t *testing.T, s setting) *harness {
	t.Helper()
	h := newHarness(t, s)
	h.answers(status(503))
	h.dial(h.addr, "EHLO").send("MAIL", "d1@client.example", "a@in.example")
	h.answers(nil)
	return h
}

// TestDeliverQueued: what an attempt's end means for the queue.
func TestDeliverQueued(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, post)
		lease  func(*retry.Lease)
		want   retry.OutcomeKind
		reason string
	}{
		{"taken", nil, nil, retry.Done, "delivered"},
		{"rejected", status(406), nil, retry.GiveUp, "rejected"},
		{"later", status(429), nil, retry.Later, "busy"},
		{"too large", status(413), nil, retry.Later, "too_large"},
		{"endpoint gone", nil, func(l *retry.Lease) { l.Endpoint = "gone" }, retry.Skip, "no_endpoint"},
		{"record damaged", nil, func(l *retry.Lease) { l.Damaged = true }, retry.GiveUp, retry.ReasonCorrupt},
		{"envelope unreadable", nil, func(l *retry.Lease) { l.Envelope = []byte("{") }, retry.GiveUp, retry.ReasonCorrupt},
	} {
		h := deferred(t, setting{})
		h.answers(c.answer)
		l := waitingLease(h)
		if c.lease != nil {
			c.lease(&l)
		}
		o := h.gateway.Deliver(t.Context(), l)
		if o.Kind != c.want || o.Reason != c.reason {
			t.Errorf("%s: %+v, want kind %d, %s", c.name, o, c.want, c.reason)
		}
		if c.want == retry.Later && (o.Attempt.Status == 0 || o.Attempt.Error == "" || o.Attempt.At.IsZero()) {
			t.Errorf("%s: the attempt is %+v", c.name, o.Attempt)
		}
		if c.name == "endpoint gone" && o.After <= 0 {
			t.Error("mail without an endpoint doesn't rest")
		}
		if posts := h.got(); len(posts) == 1 && posts[0].Attempt != "2" {
			t.Errorf("%s: attempt %s", c.name, posts[0].Attempt)
		}
	}
}

// TestStoreThatCantRead: what the store can't give now is tried again, and
// nothing was attempted.
func TestStoreThatCantRead(t *testing.T) {
	bad := &unreadable{}
	h := deferred(t, setting{wrap: func(q gateway.Queue) gateway.Queue { bad.Queue = q; return bad }})
	o := h.gateway.Deliver(t.Context(), waitingLease(h))
	if o.Kind != retry.Skip || o.After != time.Second || o.Reason != "render" {
		t.Errorf("%+v", o)
	}
}

// unreadable is a store that can't open its bodies.
type unreadable struct{ gateway.Queue }

func (unreadable) Open(context.Context, retry.BodyRef) (retry.StoredBody, error) {
	return nil, errBroken
}

var _ archive.Bodies = unreadable{}

// opening counts the stored bodies that are open.
type opening struct {
	gateway.Queue
	opened atomic.Int64
}

// Open implements gateway.Queue.
func (o *opening) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	b, err := o.Queue.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	o.opened.Add(1)
	return closing{b, o}, nil
}

type closing struct {
	retry.StoredBody
	of *opening
}

// Close implements retry.StoredBody.
func (c closing) Close() error { c.of.opened.Add(-1); return c.StoredBody.Close() }

// TestOctetsAreLetGo: however an attempt out of the queue ends, the store gets back
// the octets that it lent, a large mail's too.
func TestOctetsAreLetGo(t *testing.T) {
	o := &opening{}
	h := newHarness(t, setting{wrap: func(q gateway.Queue) gateway.Queue { o.Queue = q; return o }})
	h.answers(status(503))
	k := h.dial(h.addr, "EHLO")
	k.sendMail("Subject: large\r\n\r\n"+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000), "a@in.example")
	l := waitingLease(h)
	for _, code := range []int{503, 406, 200} {
		h.answers(status(code))
		h.gateway.Deliver(t.Context(), l)
		if n := o.opened.Load(); n != 0 || len(h.got()) != 1 {
			t.Errorf("%d: %d bodies stay open, %d posts", code, n, len(h.got()))
		}
	}
}

// TestShutdownCutsAnAttempt: nothing is known of it, so it doesn't count, and it
// says nothing about the endpoint.
func TestShutdownCutsAnAttempt(t *testing.T) {
	h := deferred(t, setting{})
	entered, release := make(chan struct{}, 100), make(chan struct{})
	h.answers(func(http.ResponseWriter, post) { entered <- struct{}{}; <-release })
	l := waitingLease(h)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-entered; cancel() }()
		if o := h.gateway.Deliver(ctx, l); o.Kind != retry.Skip {
			t.Fatalf("cut short: %+v", o)
		}
	}
	close(release)
	h.answers(nil)
	if o := h.gateway.Deliver(t.Context(), l); o.Kind != retry.Done {
		t.Errorf("after 20 attempts that we cut: %+v", o)
	}
}

// TestDividedKeepsItsHistory: who is left of a delivery after its webhook
// answered for each recipient goes on where it was: the attempts are behind it
// and the wait is as long as it would have been.
func TestDividedKeepsItsHistory(t *testing.T) {
	policy := retry.Policy{First: time.Millisecond, Factor: 1e6, MaxDelay: time.Hour, MaxAge: 72 * time.Hour}
	h := newHarness(t, setting{worker: true, gateway: gateway.Config{Policy: policy}})
	n := 0
	h.answers(func(w http.ResponseWriter, _ post) {
		if n++; n == 1 {
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"smtp":{"recipients":{"u@in.example":{"code":450},"w@in.example":{"code":550}}}}`)
	})
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	for _, to := range []string{"u", "v", "w"} {
		k.say("RCPT TO:<"+to+"@in.example>", 250)
	}
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <h@client.example>\r\n\r\nx\r\n.\r\n")
	for range 3 {
		k.want(250)
	}
	var list []retry.Info
	for end := time.Now().Add(time.Minute); len(list) != 2 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		list = h.waiting()
	}
	seen := map[retry.State]retry.Info{}
	for _, i := range list {
		seen[i.State] = i
		_, past, err := h.queue.Get(context.Background(), i.ID)
		h.must(err)
		if i.Attempts != 2 || len(past) != 2 || past[0].Status != 503 || past[1].Status != 200 {
			t.Errorf("%v has %d attempts: %+v", i.Recipients, i.Attempts, past)
		}
	}
	due, dead := seen[retry.Due], seen[retry.Dead]
	if !slices.Equal(due.Recipients, []string{"u@in.example"}) || !slices.Equal(dead.Recipients, []string{"w@in.example"}) {
		t.Errorf("left: %+v", list)
	}
	if wait := time.Until(due.DueAt); wait < 10*time.Minute {
		t.Errorf("the second wait is %s: the backoff began anew", wait)
	}
}

// TestRejectedByEach walks what a webhook may say of a queued delivery's only
// recipient.
func TestRejectedByEach(t *testing.T) {
	h := deferred(t, setting{})
	l := waitingLease(h)
	for code, want := range map[int]retry.OutcomeKind{250: retry.Done, 450: retry.Later, 550: retry.GiveUp} {
		said := reply.Standard(code)
		h.answers(func(w http.ResponseWriter, _ post) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"smtp":{"recipients":{"a@in.example":{"code":%d}}}}`, said.Code)
		})
		lmtp := l
		lmtp.Envelope = bytes.Replace(l.Envelope, []byte(`"protocol":"ESMTP"`), []byte(`"protocol":"LMTP"`), 1)
		if o := h.gateway.Deliver(t.Context(), lmtp); o.Kind != want || len(o.Parts) > 0 {
			t.Errorf("%d for the only recipient: %+v", code, o)
		}
		if o := h.gateway.Deliver(t.Context(), l); o.Kind != retry.Done {
			t.Errorf("%d on SMTP, which hears one reply: %+v", code, o)
		}
	}
}
