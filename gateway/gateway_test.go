package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/budget"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/retry/sqlite"
	"postern/webhook"
)

// expected is the SMTP reply's beginning that the product promises for a
// webhook's status.
func expected(status int, queue bool) string {
	transient := func(reply string) string {
		if queue {
			return "250 2.0.0"
		}
		return reply
	}
	switch {
	case status/100 == 2:
		return "250 2.0.0"
	case status == 406:
		return "554 5.7.1"
	case status == 413:
		return transient("552 5.3.4")
	case status == 429, status == 507:
		return transient("452 4.3.1")
	case status == 408, status == 425, status >= 500:
		return transient("451 4.3.0")
	}
	return transient("451 4.3.5")
}

// TestEveryStatus has a webhook answer every status, with the queue on and off.
func TestEveryStatus(t *testing.T) {
	for _, queue := range []bool{true, false} {
		h := newHarness(t, setting{noQueue: !queue, endpoints: everyStatusEndpoints()})
		k := h.dial(h.addr, "EHLO")
		for code := 200; code < 600; code++ {
			h.answers(status(code))
			// an endpoint for each status, so that no breaker hides the table
			got := k.send("MAIL", "", fmt.Sprintf("s%d@in.example", code))
			if want := expected(code, queue); !strings.HasPrefix(got, want) {
				t.Errorf("queue %v, status %d: %q, want %s", queue, code, got, want)
			}
		}
		if !queue {
			continue
		}
		stored, dead := 0, 0
		for _, i := range allWaiting(t, h) {
			if stored++; i.State == retry.Dead {
				dead++
			}
		}
		if want := 400 - 100 - 1; stored != want || dead != 0 {
			t.Errorf("%d deliveries wait, %d dead; want %d, 0", stored, dead, want)
		}
	}
}

func everyStatusEndpoints() (all []webhook.Config) {
	for code := 200; code < 600; code++ {
		all = append(all, webhook.Config{Name: fmt.Sprintf("e%d", code), Match: []string{fmt.Sprintf("s%d@in.example", code)}, Defer: true})
	}
	return all
}

func allWaiting(t *testing.T, h *harness) []retry.Info {
	t.Helper()
	var all []retry.Info
	page := retry.Page{Size: 200}
	for {
		list, next, err := h.queue.List(context.Background(), retry.Filter{All: true}, page)
		h.must(err)
		all = append(all, list...)
		if next.After == "" || len(list) == 0 {
			return all
		}
		page = next
	}
}

// TestBreaker: rejections say nothing against an endpoint, failures in a row
// do; while its breaker is open nobody asks it, fresh mail goes to the queue,
// and without one the sender keeps it.
func TestBreaker(t *testing.T) {
	for _, queue := range []bool{true, false} {
		h := newHarness(t, setting{noQueue: !queue})
		k := h.dial(h.addr, "EHLO")
		h.answers(status(406))
		for range 10 {
			if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "554 5.7.1") {
				t.Fatalf("queue %v: a rejection was answered %q", queue, got)
			}
		}
		if n := len(h.got()); n != 10 {
			t.Errorf("queue %v: %d of 10 mails were asked about: rejections opened the breaker", queue, n)
		}
		h.answers(status(503))
		for range 8 {
			got, want := k.send("MAIL", "", "a@in.example"), "250 "
			if !queue {
				want = "451 4."
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("queue %v: %q, want %s", queue, got, want)
			}
		}
		if n := len(h.got()); n != 5 {
			t.Errorf("queue %v: the failing endpoint was asked %d times, want 5", queue, n)
		}
	}
}

// TestRetry follows a message that is refused for now: 250, the queue, and the
// same POST again.
func TestRetry(t *testing.T) {
	policy := retry.Policy{First: time.Millisecond, Factor: 1, MaxDelay: time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, setting{worker: true, gateway: gateway.Config{Policy: policy},
		endpoints: []webhook.Config{{Name: "default", Defer: true, Raw: "inline"}}})
	var n atomic.Int64
	h.answers(func(w http.ResponseWriter, _ post) {
		if n.Add(1) < 3 {
			w.WriteHeader(503)
		}
	})
	if got := h.dial(h.addr, "EHLO").send("MAIL", "m1@client.example", "a@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Fatalf("got %q", got)
	}
	posts := h.waitFor(3)
	for i, p := range posts {
		if p.ID == "" || p.ID != posts[0].ID || p.Attempt != fmt.Sprint(i+1) || string(p.Body) != string(posts[0].Body) {
			t.Errorf("post %d: id %s attempt %s, %d octets; the first: id %s, %d octets", i, p.ID, p.Attempt, len(p.Body), posts[0].ID, len(posts[0].Body))
		}
	}
	for end := time.Now().Add(time.Minute); len(h.waiting()) > 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	if left := h.waiting(); len(left) > 0 {
		t.Errorf("delivered, and still waiting: %+v", left)
	}
}

// TestReplyUnchanged: what a webhook asks for reaches the sender as it is, an
// enhanced code above 255 too.
func TestReplyUnchanged(t *testing.T) {
	h := newHarness(t, setting{noQueue: true, endpoints: []webhook.Config{{Name: "main"}}})
	k := h.dial(h.addr, "EHLO")
	for _, want := range []string{"550 5.7.708 Blocked", "451 4.999.256 Not from there"} {
		h.answers(func(w http.ResponseWriter, p post) { w.Header().Set("SMTP-Reply", want) })
		if got := k.send("MAIL", "", "a@in.example"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOneOwner: an explicit 4xx of one webhook leaves the mail with the sender,
// whose next try reaches only those who haven't got it.
func TestOneOwner(t *testing.T) {
	for _, queue := range []bool{true, false} {
		h := newHarness(t, setting{noQueue: !queue, endpoints: []webhook.Config{
			{Name: "copy", Copy: true, Defer: true}, {Name: "main", Defer: true},
		}})
		h.answers(func(w http.ResponseWriter, p post) {
			if p.Path == "/main" {
				w.Header().Set("SMTP-Reply", "450 4.2.1 come back")
			}
			w.WriteHeader(map[bool]int{true: 503, false: 200}[p.Path == "/main"])
		})
		k := h.dial(h.addr, "EHLO")
		if got := k.send("MAIL", "m2@client.example", "a@in.example"); got != "450 4.2.1 come back" {
			t.Fatalf("queue %v: %q, want the webhook's own 450", queue, got)
		}
		if queue && len(h.waiting()) > 0 {
			t.Errorf("the sender keeps the mail, and so does the queue: %+v", h.waiting())
		}
		first := h.got()
		h.answers(nil)
		if got := k.send("MAIL", "m2@client.example", "a@in.example"); !strings.HasPrefix(got, "250 ") {
			t.Errorf("queue %v: %q on the second try", queue, got)
		}
		second := h.got()
		if len(first) != 2 || len(second) != 1 || second[0].Path != "/main" {
			t.Errorf("queue %v: first %v, second %v; want both, then main alone", queue, paths(first), paths(second))
		}
		id := first[slices.IndexFunc(first, func(p post) bool { return p.Path == "/main" })].ID
		if second[0].ID != id {
			t.Errorf("the webhook-id changed from %s to %s", id, second[0].ID)
		}
		h.answers(nil)
		k.send("MAIL", "m2@client.example", "a@in.example")
		if third := h.got(); len(third) != 2 {
			t.Errorf("queue %v: after the 250 the same mail is a new one for both, got %v", queue, paths(third))
		}
	}
}

func paths(posts []post) (out []string) {
	for _, p := range posts {
		out = append(out, p.Path)
	}
	return out
}

// TestPartlyRejected: what one webhook rejects and another takes is a dead
// letter that the operator sees, and with all rejecting the sender hears it.
func TestPartlyRejected(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "copy", Copy: true, Defer: true}, {Name: "main", Defer: true}}})
	k := h.dial(h.addr, "EHLO")
	h.answers(func(w http.ResponseWriter, p post) {
		if p.Path == "/main" {
			w.WriteHeader(406)
		}
	})
	if got := k.send("MAIL", "m3@client.example", "a@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("one of two rejected: %q", got)
	}
	if w := h.waiting(); len(w) != 1 || w[0].State != retry.Dead || w[0].Endpoint != "main" || w[0].Reason != "rejected" {
		t.Errorf("the queue holds %+v, want main's dead letter", w)
	}
	h.answers(status(406))
	if got := k.send("MAIL", "m4@client.example", "a@in.example"); !strings.HasPrefix(got, "554 5.7.1") {
		t.Errorf("all rejected: %q", got)
	}
	if w := h.waiting(); len(w) != 1 {
		t.Errorf("what the sender keeps is stored: %+v", w)
	}
}

func TestDeferFalse(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "default", Defer: false}}})
	h.answers(status(503))
	if got := h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "451 4.3.0") || len(h.waiting()) > 0 {
		t.Errorf("%q, and %d wait", got, len(h.waiting()))
	}
}

func TestQueueFirst(t *testing.T) {
	h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: true}, worker: true})
	release := make(chan struct{})
	h.answers(func(http.ResponseWriter, post) { <-release })
	if got := h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("got %q while the webhook hangs", got)
	}
	if p := h.waitFor(1)[0]; p.Attempt != "1" {
		t.Errorf("attempt %s", p.Attempt)
	}
	close(release)
}

// TestNoMemory: mail for which no memory comes free stays with its sender, who hears
// that it isn't the mail's fault.
func TestNoMemory(t *testing.T) {
	memory := budget.New(1 << 20)
	h := newHarness(t, setting{memory: memory, gateway: gateway.Config{AskFor: 300 * time.Millisecond}})
	grant, err := memory.Take(t.Context(), 1<<20)
	h.must(err)
	k := h.dial(h.addr, "EHLO")
	if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "452 4.3.1 There is no memory") {
		t.Errorf("without memory: %q", got)
	}
	grant.Release()
	if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("with memory again: %q", got)
	}
}

func TestQueueFull(t *testing.T) {
	for _, first := range []bool{true, false} {
		h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: first}, queue: sqlite.Options{MaxMessages: 1}})
		h.answers(status(503))
		k := h.dial(h.addr, "EHLO")
		if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") {
			t.Errorf("queue first %v: %q for the first", first, got)
		}
		if !first {
			if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "452 4.3.1") {
				t.Errorf("%q for the second", got)
			}
			h.answers(nil)
			if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") {
				t.Errorf("a full queue refuses mail that a healthy webhook takes: %q", got)
			}
			continue
		}
		k.say("MAIL FROM:<s@client.example>", 250)
		k.say("RCPT TO:<a@in.example>", 250)
		if got := k.say("DATA", 452); !strings.HasPrefix(got, "452 4.3.1") {
			t.Errorf("ACCEPT=queue, full: %q", got)
		}
	}
}

// TestQueueFirstUnannounced: what a client sends without SIZE= is reserved as it
// is, so the queue's bound holds at every moment.
func TestQueueFirstUnannounced(t *testing.T) {
	const bound, mail = 20_000, 7200
	h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: true}, queue: sqlite.Options{MaxBytes: bound}})
	k := h.dial(h.addr, "EHLO")
	taken := 0
	for range 5 {
		k.say("MAIL FROM:<s@client.example>", 250)
		k.say("RCPT TO:<a@in.example>", 250)
		fmt.Fprintf(k.c, "DATA\r\n")
		if code, _ := k.reply(); code == 452 {
			continue
		}
		fmt.Fprintf(k.c, "Subject: x\r\n\r\n%s.\r\n", strings.Repeat(strings.Repeat("y", 70)+"\r\n", mail/72))
		if code, _ := k.reply(); code == 250 {
			taken++
		}
		st, err := h.queue.Stats(context.Background())
		if h.must(err); st.Bytes > bound {
			t.Errorf("%d octets in a queue of %d", st.Bytes, bound)
		}
	}
	if taken != bound/mail {
		t.Errorf("%d mails of %d octets fit into %d", taken, mail, bound)
	}
}

func TestOneEndpoint(t *testing.T) {
	h := newHarness(t, setting{gateway: gateway.Config{OneEndpoint: true}, endpoints: []webhook.Config{
		{Name: "sales", Match: []string{"sales@in.example"}}, {Name: "rest"},
	}})
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<>", 250)
	k.say("RCPT TO:<a@in.example>", 250)
	if got := k.say("RCPT TO:<sales@in.example>", 452); !strings.HasPrefix(got, "452 4.5.3") {
		t.Error(got)
	}
	k.say("RCPT TO:<b@in.example>", 250)
}

// TestEachRecipient: LMTP gives each recipient a reply of its own.
func TestEachRecipient(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{
		{Name: "up", Match: []string{"up@in.example"}, Defer: true},
		{Name: "down", Match: []string{"down@in.example"}, Defer: true},
		{Name: "each", Match: []string{"*@each.example"}, Defer: true},
		{Name: "never"},
	}})
	h.answers(func(w http.ResponseWriter, p post) {
		switch p.Path {
		case "/down":
			w.WriteHeader(503)
		case "/never":
			w.WriteHeader(406)
		case "/each":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"smtp":{"recipients":{"b@each.example":{"code":550,"enhanced":"5.1.1","message":"no b here"}}}}`)
		}
	})
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	want := []string{"250 ", "250 ", "554 5.7.1", "250 ", "550 5.1.1", "250 "}
	for _, to := range []string{"up@in.example", "down@in.example", "never@in.example", "a@each.example", "b@each.example", "up@in.example"} {
		k.say("RCPT TO:<"+to+">", 250)
	}
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <lmtp@client.example>\r\n\r\nx\r\n.\r\n")
	for i, w := range want {
		if _, got := k.reply(); !strings.HasPrefix(got, w) {
			t.Errorf("recipient %d: %q, want %s", i, got, w)
		}
	}
	if w := h.waiting(); len(w) != 1 || w[0].Endpoint != "down" || w[0].State != retry.Due {
		t.Errorf("the queue holds %+v, want down's delivery alone", w)
	}
}

// TestSMTPHearsOneReply: what a webhook says of each recipient has no say on
// SMTP, and leaves the other endpoint's delivery alone.
func TestSMTPHearsOneReply(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "copy", Copy: true, Defer: true}, {Name: "main", Defer: true}}})
	h.answers(func(w http.ResponseWriter, p post) {
		if p.Path == "/main" {
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"smtp":{"recipients":{"u@in.example":{"code":550},"v@in.example":{"code":450}}}}`)
	})
	if got := h.dial(h.addr, "EHLO").send("MAIL", "r1@client.example", "u@in.example", "v@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	if w := h.waiting(); len(w) != 1 || w[0].Endpoint != "main" {
		t.Errorf("the queue holds %+v, want main's delivery alone", w)
	}
}

// TestQueuedRecipients: a queued delivery whose webhook answers for each
// recipient is split: who is deferred waits on, who is rejected is a dead letter.
func TestQueuedRecipients(t *testing.T) {
	policy := retry.Policy{First: time.Millisecond, Factor: 1, MaxDelay: time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, setting{worker: true, gateway: gateway.Config{Policy: policy}})
	var n atomic.Int64
	h.answers(func(w http.ResponseWriter, _ post) {
		switch n.Add(1) {
		case 1:
			w.WriteHeader(503)
		case 2:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"smtp":{"recipients":{"u@in.example":{"code":450},"w@in.example":{"code":550}}}}`)
		}
	})
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	for _, to := range []string{"u", "v", "w"} {
		k.say("RCPT TO:<"+to+"@in.example>", 250)
	}
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <q1@client.example>\r\n\r\nx\r\n.\r\n")
	for range 3 {
		k.want(250)
	}
	posts := h.waitFor(3)
	if !strings.Contains(string(posts[2].Body), `"to":["u@in.example"]`) || posts[2].ID == posts[1].ID {
		t.Errorf("the third POST %s is %.300s; want one for u alone", posts[2].ID, posts[2].Body)
	}
	for end := time.Now().Add(time.Minute); len(h.waiting()) != 1 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	if w := h.waiting(); len(w) != 1 || w[0].State != retry.Dead || !slices.Equal(w[0].Recipients, []string{"w@in.example"}) || w[0].Reason != "rejected" {
		t.Errorf("the queue holds %+v, want w's dead letter alone", w)
	}
}

// TestTerminals walks the RFC 821 verbs: which endpoints see the mail and what
// the sender hears, with the terminal up and down.
func TestTerminals(t *testing.T) {
	for _, c := range []struct {
		verb string
		down bool
		want string
		seen []string
	}{
		{"MAIL", false, "250 ", []string{"/mailbox"}},
		{"SEND", false, "250 ", []string{"/live"}},
		{"SOML", false, "250 ", []string{"/live"}},
		{"SAML", false, "250 ", []string{"/live", "/mailbox"}},
		{"SEND", true, "451 4.4.1", []string{"/live"}},
		{"SOML", true, "250 ", []string{"/live", "/mailbox"}},
		{"SAML", true, "250 ", []string{"/live", "/mailbox"}},
	} {
		h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "live", Terminal: true, Defer: true}, {Name: "mailbox", Defer: true}}})
		h.answers(func(w http.ResponseWriter, p post) {
			if c.down && p.Path == "/live" {
				w.WriteHeader(503)
			}
		})
		got := h.dial(h.addr, "EHLO").send(c.verb, "v@client.example", "a@in.example")
		seen := paths(h.got())
		slices.Sort(seen)
		if !strings.HasPrefix(got, c.want) || !slices.Equal(seen, c.seen) || len(h.waiting()) > 0 {
			t.Errorf("%s, terminal down %v: %q, seen by %v, %d wait; want %s, %v", c.verb, c.down, got, seen, len(h.waiting()), c.want, c.seen)
		}
	}
	none := newHarness(t, setting{})
	k := none.dial(none.addr, "EHLO")
	k.say("SEND FROM:<s@client.example>", 250)
	k.say("RCPT TO:<a@in.example>", 450)
}

func TestPauseReachesFreshMail(t *testing.T) {
	h := newHarness(t, setting{})
	h.must(h.queue.Pause(context.Background(), "default", 0, "a deploy"))
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		h.answers(nil)
		h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example")
		if len(h.got()) == 0 {
			if w := h.waiting(); len(w) == 0 || w[0].Attempts != 0 {
				t.Errorf("a pause spent attempts, or lost the mail: %+v", w)
			}
			return
		}
	}
	t.Error("the paused endpoint still sees fresh mail")
}

// TestHungUp: a client that hangs up behind the dot doesn't cancel the POST,
// and its next try asks nobody again.
func TestHungUp(t *testing.T) {
	h := newHarness(t, setting{})
	entered, release := make(chan struct{}, 2), make(chan struct{})
	h.answers(func(http.ResponseWriter, post) { entered <- struct{}{}; <-release })
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	k.say("RCPT TO:<a@in.example>", 250)
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <gone@client.example>\r\n\r\nx\r\n.\r\n")
	<-entered
	k.c.Close()
	time.Sleep(50 * time.Millisecond) // for the FIN to arrive
	close(release)
	key := messageKey("s@client.example", "Message-ID: <gone@client.example>\r\n\r\nx\r\n")
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if ids, err := h.queue.Delivered(context.Background(), key); err != nil || time.Now().After(end) {
			t.Fatalf("who took the message isn't remembered (%v)", err)
		} else if len(ids) > 0 {
			break
		}
	}
	again := h.dial(h.addr, "EHLO")
	again.say("MAIL FROM:<s@client.example>", 250)
	again.say("RCPT TO:<a@in.example>", 250)
	again.say("DATA", 354)
	fmt.Fprintf(again.c, "Message-ID: <gone@client.example>\r\n\r\nx\r\n.\r\n")
	again.want(250)
	if posts := h.got(); len(posts) != 1 {
		t.Errorf("%d posts: the second try asked again", len(posts))
	}
}

// messageKey is the message key of product terms: SHA-256 over the
// length-prefixed reverse-path and the octets of DATA.
func messageKey(from, data string) string {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(len(from))), from+data...))
	return hex.EncodeToString(sum[:])
}

var _ smtp.Handler = (*gateway.Gateway)(nil)
var _ retry.Deliverer = (*gateway.Gateway)(nil)

// TestBrokenLineEnds: a message whose lines end in CR CR LF or LF keeps its
// header whole, and says what was done to it; a retry says the same.
func TestBrokenLineEnds(t *testing.T) {
	h := newHarness(t, setting{worker: true, endpoints: []webhook.Config{{Name: "main", Defer: true}}})
	fails := true
	h.answers(func(w http.ResponseWriter, p post) {
		if fails {
			w.WriteHeader(503)
		}
		fails = false
	})
	k := h.dial(h.addr, "EHLO")
	for _, line := range []string{"MAIL FROM:<sender@client.example>", "RCPT TO:<a@in.example>"} {
		k.say(line, 250)
	}
	k.say("DATA", 354)
	fmt.Fprint(k.c, "From: a@x.example\r\r\nSubject: all\r\r\nX-Two: 2\n\r\r\nbody\r\n.\r\n")
	k.want(250)
	for _, p := range h.waitFor(2) {
		var got struct {
			Message struct {
				Subject, Text string
				Defects       []string
				Headers       []struct{ Name, Value string }
			}
		}
		h.must(json.Unmarshal(p.Body, &got))
		m := got.Message
		if m.Subject != "all" || strings.TrimSpace(m.Text) != "body" || m.Headers[len(m.Headers)-1].Name != "X-Two" {
			t.Errorf("%+v", m)
		}
		if !slices.Contains(m.Defects, "line ends that were not CRLF became CRLF") {
			t.Errorf("defects %q", m.Defects)
		}
	}
}

// TestAnnouncedSizeIsBooked: who announces more than there is room for is
// refused before the first octet, and the next who fits isn't.
func TestAnnouncedSizeIsBooked(t *testing.T) {
	h := newHarness(t, setting{spool: 1 << 20, endpoints: []webhook.Config{{Name: "main"}}})
	envelope := func(size int) *client {
		k := h.dial(h.addr, "EHLO")
		k.say(fmt.Sprintf("MAIL FROM:<sender@client.example> SIZE=%d", size), 250)
		k.say("RCPT TO:<a@in.example>", 250)
		return k
	}
	first := envelope(900_000)
	first.say("DATA", 354)
	envelope(200_000).say("DATA", 452)
	small := envelope(10_000)
	small.say("DATA", 354)
	for _, k := range []*client{first, small} {
		k.say("Subject: x\r\n\r\nbody\r\n.", 250)
	}
	envelope(900_000).say("DATA", 354)
}
