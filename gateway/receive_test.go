package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/auth"
	"postern/gateway/directory"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/retry/sqlite"
	"postern/webhook"
	"postern/webhook/payload"
)

// judge gives one verdict on everybody.
type judge struct{ verdict *mail.Authentication }

func (j judge) Authenticate(context.Context, *mail.Envelope, mail.Source) *mail.Authentication {
	return j.verdict
}

// Forged implements gateway.Authenticator.
func (j judge) Forged(_ *mail.Envelope, data mail.Source) (auth.Removal, error) {
	return auth.Forged(data, "mx.example")
}

// TestDMARC: only a failure whose domain asks to reject is refused, and only
// where the operator enforces it.
func TestDMARC(t *testing.T) {
	for _, c := range []struct {
		result, policy string
		enforce        bool
		want           string
	}{
		{"fail", "reject", true, "550 5.7.1"},
		{"fail", "reject", false, "250 "},
		{"fail", "quarantine", true, "250 "},
		{"pass", "reject", true, "250 "},
		{"temperror", "reject", true, "250 "},
	} {
		verdict := &mail.Authentication{DMARC: mail.DMARCResult{Result: c.result, Policy: c.policy}, Header: "mx.example; dmarc=" + c.result}
		h := newHarness(t, setting{sender: judge{verdict}, gateway: gateway.Config{EnforceDMARC: c.enforce}, endpoints: []webhook.Config{{Name: "a", Raw: payload.Inline}}})
		if got := h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s, policy %s, enforced %v: %q", c.result, c.policy, c.enforce, got)
		}
		for _, p := range h.got() {
			var n struct{ Raw struct{ Content []byte } }
			h.must(json.Unmarshal(p.Body, &n))
			if !strings.HasPrefix(string(n.Raw.Content), "Authentication-Results: mx.example;\r\n dmarc="+c.result+"\r\n") {
				t.Errorf("the message begins %.80q", n.Raw.Content)
			}
		}
	}
}

// TestEnvelope: what the transaction said reaches the webhook.
func TestEnvelope(t *testing.T) {
	h := newHarness(t, setting{smtp: func(c *smtp.Config) { c.DSN, c.DeliverBy = true, true }})
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<s@client.example> RET=HDRS ENVID=x1 BODY=8BITMIME", 250)
	k.say("RCPT TO:<a+tag@in.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;o@x.example", 250)
	k.say("RCPT TO:<b@in.example>", 250)
	k.say("RCPT TO:<b@in.example>", 250)
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Subject: x\r\n\r\nbody\r\n.\r\n")
	k.want(250)
	var n struct {
		Envelope struct {
			From, Helo, Body string
			To               []string
			Tags             map[string]string
			Size             int
			Client           struct{ IP string }
			DSN              struct {
				Ret, Envid string
				Notify     map[string][]string
			}
		}
	}
	h.must(json.Unmarshal(h.waitFor(1)[0].Body, &n))
	e := n.Envelope
	if e.From != "s@client.example" || e.Helo != "client.example" || e.Body != "8BITMIME" || !slices.Equal(e.To, []string{"a+tag@in.example", "b@in.example"}) ||
		e.Tags["a+tag@in.example"] != "tag" || e.Size != 20 || e.Client.IP != "127.0.0.1" || e.DSN.Ret != "HDRS" || e.DSN.Envid != "x1" || len(e.DSN.Notify["a+tag@in.example"]) != 2 {
		t.Errorf("%+v", e)
	}
}

// TestResolve: what was asked for a group of recipients isn't asked again.
func TestResolve(t *testing.T) {
	who := &people{answer: answer(250, directory.Answer{})}
	h := newHarness(t, setting{noQueue: true, directory: who})
	r, tr := &smtp.Recipient{Address: parsed(t, "a@in.example")}, &smtp.Transaction{Client: &smtp.Client{}}
	h.gateway.Resolve(t.Context(), tr, r)
	if got := h.gateway.Rcpt(t.Context(), tr, r); got.Code != 250 || len(who.asked) != 1 {
		t.Errorf("%+v after %d questions", got, len(who.asked))
	}
}

// TestOwnReplies: the webhook's words are the sender's answer, a 2xx too.
func TestOwnReplies(t *testing.T) {
	h := newHarness(t, setting{})
	k := h.dial(h.addr, "EHLO")
	for _, said := range []string{"250 2.6.0 ticket 7", "550 5.1.1 no project", "452 4.2.2 come back"} {
		h.answers(func(w http.ResponseWriter, _ post) { w.Header().Set("SMTP-Reply", said) })
		if got := k.send("MAIL", "", "a@in.example"); got != said {
			t.Errorf("%q, want %q", got, said)
		}
	}
}

// madeUp makes urls that say until when they are good.
func madeUp(now time.Time) (payload.Links, time.Time) { return madeUpLinks{}, now.Add(time.Hour) }

type madeUpLinks struct{}

func (madeUpLinks) Attachment(id string, _ int, _ string) string { return "https://mx.example/" + id }
func (madeUpLinks) Raw(id string) string                         { return "https://mx.example/" + id }

// TestContentByURL: what a url names is in the store before the POST, once for
// all deliveries, and goes again when nobody took the message.
func TestContentByURL(t *testing.T) {
	for _, c := range []struct {
		status int
		kept   bool
	}{{200, true}, {406, false}, {503, true}} {
		var mu sync.Mutex
		there := 0
		kept := &keeping{}
		s := setting{urls: madeUp, wrap: func(q gateway.Queue) gateway.Queue { kept.Queue = q; return kept }, endpoints: []webhook.Config{
			{Name: "one", Copy: true, Raw: payload.URL, Defer: true}, {Name: "two", Raw: payload.URL, Defer: true},
		}}
		h := newHarness(t, s)
		h.answers(func(w http.ResponseWriter, p post) {
			var n struct{ Raw struct{ URL string } }
			_ = json.Unmarshal(p.Body, &n)
			_, body, err := h.queue.OpenMessage(context.Background(), strings.TrimPrefix(n.Raw.URL, "https://mx.example/"))
			if err == nil {
				body.Close()
				mu.Lock()
				there++
				mu.Unlock()
			}
			w.WriteHeader(c.status)
		})
		h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example")
		if there != 2 || len(kept.kept) == 0 || len(kept.kept) > 2 {
			t.Errorf("%d: the message was there for %d of 2 webhooks, kept %d times", c.status, there, len(kept.kept))
		}
		for _, d := range kept.kept {
			if d < 59*time.Minute || d > time.Hour {
				t.Errorf("%d: kept for %s", c.status, d)
			}
		}
		if _, body, err := h.queue.OpenMessage(context.Background(), kept.id); (err == nil) != c.kept {
			t.Errorf("%d: afterwards the message is there: %v", c.status, err)
		} else if err == nil {
			body.Close()
		}
	}
}

// keeping notes what is kept.
type keeping struct {
	gateway.Queue
	mu   sync.Mutex
	id   string
	kept []time.Duration
	err  error
}

func (k *keeping) Keep(ctx context.Context, m retry.Message, d time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.id, k.kept = m.ID, append(k.kept, d)
	if k.err != nil {
		return k.err
	}
	return k.Queue.Keep(ctx, m, d)
}

func (k *keeping) Drop(ctx context.Context, id string) error {
	if k.err != nil {
		return k.err
	}
	return k.Queue.Drop(ctx, id)
}

// cantDrop is a queue that may fail to drop content.
type cantDrop struct {
	gateway.Queue
	err error
}

// Drop implements gateway.Queue.
func (c cantDrop) Drop(ctx context.Context, id string) error {
	return errors.Join(c.err, c.Queue.Drop(ctx, id))
}

// TestCantDrop: the log tells of content that stays, and of none that went.
func TestCantDrop(t *testing.T) {
	for _, err := range []error{nil, errBroken} {
		var log bytes.Buffer
		h := newHarness(t, setting{log: &log, urls: madeUp, endpoints: []webhook.Config{{Name: "a", Raw: payload.URL, Defer: true}}, wrap: func(q gateway.Queue) gateway.Queue { return cantDrop{q, err} }})
		h.answers(status(406))
		h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example")
		h.stop()
		if tells := strings.Contains(log.String(), "content of a refused message stays"); tells != (err != nil) {
			t.Errorf("dropping fails: %v; the log: %s", err, log.String())
		}
	}
}

// staging counts how often a body is stored.
type staging struct {
	gateway.Queue
	times atomic.Int64
}

// Stage implements gateway.Queue.
func (s *staging) Stage(ctx context.Context, r retry.Reservation, body retry.Body) (retry.BodyRef, error) {
	s.times.Add(1)
	return s.Queue.Stage(ctx, r, body)
}

// TestContentIsStoredOnce: a mail out of the queue, whose octets are stored, isn't
// stored again for the urls of its next attempt; they are good until later, though.
func TestContentIsStoredOnce(t *testing.T) {
	stage, kept := &staging{}, &keeping{}
	h := deferred(t, setting{urls: madeUp, endpoints: []webhook.Config{{Name: "a", Raw: payload.URL, Defer: true}}, wrap: func(q gateway.Queue) gateway.Queue {
		stage.Queue = q
		kept.Queue = stage
		return kept
	}})
	before := stage.times.Load()
	h.answers(nil)
	if o := h.gateway.Deliver(t.Context(), waitingLease(h)); o.Kind != retry.Done {
		t.Errorf("%+v", o)
	}
	if again := stage.times.Load() - before; before == 0 || again != 0 || len(kept.kept) != 2 {
		t.Errorf("stored %d times, then %d times more; kept %v", before, again, kept.kept)
	}
}

// TestCantKeep: what can't be kept is not posted, and waits.
func TestCantKeep(t *testing.T) {
	kept := &keeping{err: errBroken}
	h := newHarness(t, setting{urls: madeUp, wrap: func(q gateway.Queue) gateway.Queue { kept.Queue = q; return kept }, endpoints: []webhook.Config{{Name: "a", Raw: payload.URL, Defer: true}}})
	if got := h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") || len(h.got()) > 0 || len(h.waiting()) != 1 {
		t.Errorf("%q after %d posts, %d wait", got, len(h.got()), len(h.waiting()))
	}
}

// deaf is a Dedup that can't be read or written.
type deaf struct{ calls []string }

func (d *deaf) Delivered(context.Context, string) ([]string, error) {
	d.calls = append(d.calls, "taken")
	return nil, errBroken
}
func (d *deaf) Remember(_ context.Context, _ string, ids []string, life time.Duration) error {
	d.calls = append(d.calls, fmt.Sprint("remember ", len(ids), " ", life))
	return errBroken
}
func (d *deaf) Forget(context.Context, string) error {
	d.calls = append(d.calls, "forget")
	return errBroken
}

// TestDedupThatFails: mail goes on; the worst is that somebody is asked again.
func TestDedupThatFails(t *testing.T) {
	notes := &deaf{}
	var log bytes.Buffer
	h := newHarness(t, setting{log: &log, dedup: notes, endpoints: []webhook.Config{{Name: "copy", Copy: true, Defer: true}, {Name: "main", Defer: false}}})
	h.answers(path("/main", says(503)))
	k := h.dial(h.addr, "EHLO")
	if got := k.send("MAIL", "l1@client.example", "a@in.example"); !strings.HasPrefix(got, "451 ") {
		t.Error(got)
	}
	h.answers(nil)
	if got := k.send("MAIL", "l1@client.example", "a@in.example"); !strings.HasPrefix(got, "250 ") || len(h.got()) != 2 {
		t.Errorf("%q after %d posts", got, len(h.got()))
	}
	k.send("MAIL", "", "a@in.example") // can't be known again, so nothing is noted
	k.say("NOOP", 250)
	if want := []string{"taken", "remember 1 72h0m0s", "taken", "forget"}; !slices.Equal(notes.calls, want) {
		t.Errorf("the dedup store was asked %q, want %q", notes.calls, want)
	}
	if looked, noted := strings.Count(log.String(), "can't be looked up"), strings.Count(log.String(), "could not be remembered"); looked != 2 || noted != 2 {
		t.Errorf("the log tells of %d look-ups and %d notes:\n%s", looked, noted, log.String())
	}
}

// TestReservationsAreReleased: with ACCEPT=queue, room that was reserved for a
// message that never came whole is free again.
func TestReservationsAreReleased(t *testing.T) {
	const announced = 600 << 10
	h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: true}, queue: sqlite.Options{MaxBytes: 1 << 20}, spool: 3 * announced / 2})
	begin := func() *client { // once those before are known to be gone
		k := h.dial(h.addr, "EHLO")
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			k.say(fmt.Sprintf("MAIL FROM:<s@client.example> SIZE=%d", announced), 250)
			k.say("RCPT TO:<a@in.example>", 250)
			fmt.Fprintf(k.c, "DATA\r\n")
			if code, text := k.reply(); code == 354 {
				return k
			} else if time.Now().After(end) {
				t.Fatal(text)
			}
			k.say("RSET", 250)
		}
	}
	for range 5 { // a client that hangs up in its message
		begin().c.Close()
	}
	k, last := begin(), h.dial(h.addr, "EHLO")
	for range 5 { // the queue has room, the spool folder hasn't
		last.say(fmt.Sprintf("MAIL FROM:<s@client.example> SIZE=%d", 400<<10), 250)
		last.say("RCPT TO:<a@in.example>", 250)
		if got := last.say("DATA", 452); !strings.Contains(got, "No room for a message of that size") {
			t.Errorf("%q", got)
		}
		last.say("RSET", 250)
	}
	fmt.Fprintf(k.c, "Subject: x\r\n\r\nx\r\n.\r\n")
	k.want(250)
	if got := last.send("MAIL", "last@client.example", "a@in.example"); !strings.HasPrefix(got, "250") {
		t.Errorf("%q", got)
	}
}

// TestWholeMailBooksItsSize: once a message is whole, what its client announced beyond
// its size is free for others, also while the webhook thinks.
func TestWholeMailBooksItsSize(t *testing.T) {
	const announced = 600 << 10
	h := newHarness(t, setting{spool: 3 * announced / 2})
	asked, think := make(chan struct{}, 2), make(chan struct{})
	answer := sync.OnceFunc(func() { close(think) })
	t.Cleanup(answer)
	h.answers(func(http.ResponseWriter, post) { asked <- struct{}{}; <-think })
	open := func() *client {
		k := h.dial(h.addr, "EHLO")
		k.say(fmt.Sprintf("MAIL FROM:<s@client.example> SIZE=%d", announced), 250)
		k.say("RCPT TO:<a@in.example>", 250)
		fmt.Fprint(k.c, "DATA\r\n")
		if code, text := k.reply(); code != 354 {
			t.Fatal(text)
		}
		return k
	}
	first := open()
	fmt.Fprintf(first.c, "Subject: x\r\n\r\nx\r\n.\r\n")
	<-asked
	second := open()
	fmt.Fprintf(second.c, "Subject: y\r\n\r\ny\r\n.\r\n")
	<-asked
	answer()
	first.want(250)
	second.want(250)
}

// reserving counts how often room is reserved.
type reserving struct {
	gateway.Queue
	times atomic.Int64
}

// Reserve implements gateway.Queue.
func (r *reserving) Reserve(ctx context.Context, n int64) (retry.Reservation, error) {
	r.times.Add(1)
	return r.Queue.Reserve(ctx, n)
}

// TestRoomIsReservedOnce: with ACCEPT=queue the room of a message that is as large as
// announced, or smaller, is reserved before its first octet and kept; only a larger
// one's is reserved anew.
func TestRoomIsReservedOnce(t *testing.T) {
	const message = "Subject: x\r\n\r\nx\r\n"
	for announced, want := range map[int]int64{len(message) + 1: 1, len(message): 1, len(message) - 1: 2} {
		q := &reserving{}
		h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: true}, wrap: func(inner gateway.Queue) gateway.Queue { q.Queue = inner; return q }})
		k := h.dial(h.addr, "EHLO")
		k.say(fmt.Sprintf("MAIL FROM:<s@client.example> SIZE=%d", announced), 250)
		k.say("RCPT TO:<a@in.example>", 250)
		k.say("DATA", 354)
		fmt.Fprintf(k.c, "%s.\r\n", message)
		k.want(250)
		if got := q.times.Load(); got != want || len(h.waiting()) != 1 {
			t.Errorf("%d octets announced for %d: reserved %d times, want %d; %d wait", announced, len(message), got, want, len(h.waiting()))
		}
	}
}
