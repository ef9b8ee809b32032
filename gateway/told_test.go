package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// told notes what a reporter hears.
type told struct {
	mu        sync.Mutex
	delivered []string // "recipient,recipient" of each call
	late      []string // the same of those who were told of a delay
	dead      []string // "endpoint recipients reason attempts status"
}

// Returns says that all are told but those with "untold" in their address.
func (r *told) Returns(_ *mail.Envelope, to []mail.Recipient, _ *mail.Message) bool {
	return !slices.ContainsFunc(to, func(t mail.Recipient) bool { return strings.Contains(t.Address, "untold") })
}

func (r *told) Delayed(_ *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m == nil || raw == nil {
		r.late = append(r.late, "without the message")
	}
	for _, t := range to {
		r.late = append(r.late, t.Address)
	}
}

// delays returns what was heard of delays since the last call.
func (r *told) delays() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := strings.Join(r.late, ",")
	r.late = nil
	return heard
}

func (r *told) DeadLetter(_ context.Context, l retry.Lease, reason string, a retry.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead = append(r.dead, fmt.Sprintf("%s %v %s %d %d %s %v %v", l.Endpoint, l.Recipients, reason, l.Attempts, a.Status, l.State, l.ID != "", len(l.Envelope) > 0))
}

func (r *told) Delivered(_ *mail.Envelope, to []mail.Recipient, m *mail.Message, raw mail.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, t := range to {
		names = append(names, strings.TrimSuffix(t.Address, "@in.example"))
	}
	if m == nil || raw == nil {
		names = append(names, "without the message")
	}
	r.delivered = append(r.delivered, strings.Join(names, ","))
}

// take returns what was heard of deliveries since the last call.
func (r *told) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := r.delivered
	r.delivered = nil
	return heard
}

func (r *told) letters() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.dead)
}

// wait returns what was heard once there is something.
func (r *told) wait(t *testing.T) []string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if heard := r.take(); len(heard) > 0 {
			return heard
		}
	}
	t.Fatal("nobody was told")
	return nil
}

func path(of string, f http.HandlerFunc) func(http.ResponseWriter, post) {
	return func(w http.ResponseWriter, p post) {
		if p.Path == of {
			f(w, nil)
		}
	}
}

func says(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// TestEachRecipientIsTold: on LMTP only those whom the webhook took hear of a
// delivery, also where it answered for each of them in one POST.
func TestEachRecipientIsTold(t *testing.T) {
	heard := &told{}
	h := newHarness(t, setting{reporter: heard})
	h.answers(func(w http.ResponseWriter, _ post) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"smtp":{"recipients":{"b@in.example":{"code":550},"c@in.example":{"code":450}}}}`)
	})
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	for _, to := range []string{"a", "b", "c", "d"} {
		k.say("RCPT TO:<"+to+"@in.example>", 250)
	}
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <each@client.example>\r\n\r\nx\r\n.\r\n")
	for _, code := range []int{250, 550, 450, 250} {
		k.want(code)
	}
	if got := heard.take(); !slices.Equal(got, []string{"a,d"}) {
		t.Errorf("told of deliveries to %q, want a and d", got)
	}
	if w := h.waiting(); len(w) > 0 || len(heard.letters()) > 0 {
		t.Errorf("who was refused is stored: %+v, %v", w, heard.letters())
	}
}

// TestNobodyIsToldBeforeThe250: while the sender keeps the mail nobody hears of
// a delivery; once it is ours, all whom it reached do, in an earlier try too.
func TestNobodyIsToldBeforeThe250(t *testing.T) {
	heard := &told{}
	h := newHarness(t, setting{reporter: heard, endpoints: []webhook.Config{
		{Name: "a", Match: []string{"a@in.example"}, Defer: true}, {Name: "b", Match: []string{"b@in.example"}, Defer: true},
	}})
	h.answers(path("/b", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("SMTP-Reply", "450 4.2.1 come back")
		w.WriteHeader(503)
	}))
	k := h.dial(h.addr, "EHLO")
	if got := k.send("MAIL", "n1@client.example", "a@in.example", "b@in.example"); !strings.HasPrefix(got, "450 ") || len(heard.take()) > 0 {
		t.Errorf("%q, and somebody was told", got)
	}
	h.answers(nil)
	if got := k.send("MAIL", "n1@client.example", "a@in.example", "b@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	if got := heard.take(); !slices.Equal(got, []string{"a,b"}) || len(h.got()) != 1 {
		t.Errorf("told of deliveries to %q after %d posts, want a and b after one", got, len(h.got()))
	}
	h.answers(path("/b", says(503)))
	k.send("MAIL", "n2@client.example", "a@in.example", "b@in.example")
	if got := heard.take(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("told of deliveries to %q, want a alone: b's waits in the queue", got)
	}
}

// TestCopiesDontSpeak: a recipient has its mail when its own endpoint has it,
// whatever those that take copies say.
func TestCopiesDontSpeak(t *testing.T) {
	heard := &told{}
	h := newHarness(t, setting{reporter: heard, endpoints: []webhook.Config{
		{Name: "copy", Copy: true, Defer: true}, {Name: "main", Match: []string{"a@in.example"}, Defer: true},
	}})
	k := h.dial(h.addr, "EHLO")
	for _, c := range []struct {
		failing, to string
		want        []string
	}{
		{"/none", "a@in.example", []string{"a"}},
		{"/copy", "a@in.example", []string{"a"}},
		{"/main", "a@in.example", nil},
		{"/none", "only-a-copy@in.example", []string{"only-a-copy"}},
	} {
		h.answers(path(c.failing, says(503)))
		k.send("MAIL", "", c.to)
		if got := heard.take(); !slices.Equal(got, c.want) {
			t.Errorf("%s fails: told of %q, want %q", c.failing, got, c.want)
		}
	}
}

// TestVerbsTell: what a terminal does counts as the verb says.
func TestVerbsTell(t *testing.T) {
	for _, c := range []struct {
		verb, failing string
		want          []string
	}{
		{"SEND", "/none", []string{"a"}},
		{"SEND", "/live", nil},
		{"SOML", "/none", []string{"a"}},
		{"SOML", "/live", []string{"a"}},
		{"SAML", "/live", []string{"a"}},
		{"SAML", "/mailbox", nil},
	} {
		heard := &told{}
		h := newHarness(t, setting{reporter: heard, endpoints: []webhook.Config{{Name: "live", Terminal: true, Defer: true}, {Name: "mailbox", Defer: true}}})
		h.answers(path(c.failing, says(503)))
		h.dial(h.addr, "EHLO").send(c.verb, "", "a@in.example")
		if got := heard.take(); !slices.Equal(got, c.want) {
			t.Errorf("%s, %s fails: told of %q, want %q", c.verb, c.failing, got, c.want)
		}
	}
}

// TestQueuedIsTold: what comes out of the queue is reported when it arrives, of
// each recipient that the webhook took.
func TestQueuedIsTold(t *testing.T) {
	heard := &told{}
	policy := retry.Policy{First: time.Millisecond, Factor: 1, MaxDelay: time.Millisecond, MaxAge: time.Hour}
	h := newHarness(t, setting{worker: true, reporter: heard, gateway: gateway.Config{Policy: policy}})
	first := true
	h.answers(func(w http.ResponseWriter, _ post) {
		if first {
			first = false
			w.WriteHeader(503)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"smtp":{"recipients":{"b@in.example":{"code":550}}}}`)
	})
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	for _, to := range []string{"a", "b"} {
		k.say("RCPT TO:<"+to+"@in.example>", 250)
	}
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <q@client.example>\r\n\r\nx\r\n.\r\n")
	k.want(250)
	k.want(250)
	if got := heard.wait(t); !slices.Equal(got, []string{"a"}) {
		t.Errorf("told of deliveries to %q, want a", got)
	}
}

// TestOnlyArrivalsAreTold: of an attempt out of the queue that reached nobody nobody
// hears.
func TestOnlyArrivalsAreTold(t *testing.T) {
	heard := &told{}
	h := deferred(t, setting{reporter: heard})
	l := waitingLease(h)
	for _, c := range []struct {
		code int
		want []string
	}{{503, nil}, {406, nil}, {200, []string{"a"}}} {
		h.answers(status(c.code))
		h.gateway.Deliver(t.Context(), l)
		if got := heard.take(); !slices.Equal(got, c.want) {
			t.Errorf("%d: told of deliveries to %q, want %q", c.code, got, c.want)
		}
	}
}

// TestDeadLettersOfAPartlyRejectedMessage are counted and reported at once.
func TestDeadLettersOfAPartlyRejectedMessage(t *testing.T) {
	heard, counts := &told{}, &counter{}
	h := newHarness(t, setting{reporter: heard, observer: counts, endpoints: []webhook.Config{
		{Name: "a", Match: []string{"a@in.example"}, Defer: true}, {Name: "b", Match: []string{"b@in.example"}, Defer: true}, {Name: "c", Defer: true},
	}})
	h.answers(func(w http.ResponseWriter, p post) {
		w.WriteHeader(map[string]int{"/a": 200, "/b": 406, "/c": 503}[p.Path])
	})
	if got := h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example", "b@in.example", "c@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Error(got)
	}
	if got, want := heard.letters(), []string{"b [b@in.example] rejected 1 406 dead true true"}; !slices.Equal(got, want) {
		t.Errorf("told of dead letters %q, want %q", got, want)
	}
	if got, want := counts.all(), []string{"b dead", "c waits", "reply 250"}; !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
	list, err := attempts(h, "b")
	if h.must(err); len(list) != 1 || list[0].Status != 406 || list[0].Reason != "rejected" || list[0].Error == "" {
		t.Errorf("the dead letter's history is %+v", list)
	}
}

// attempts is the history of an endpoint's only delivery.
func attempts(h *harness, endpoint string) ([]retry.PastAttempt, error) {
	for _, i := range h.waiting() {
		if i.Endpoint == endpoint {
			_, list, err := h.queue.Get(context.Background(), i.ID)
			return list, err
		}
	}
	return nil, retry.ErrNotFound
}

// counter notes what an observer hears.
type counter struct {
	mu   sync.Mutex
	seen []string
}

func (c *counter) Received(_ *mail.Envelope, code int, _ time.Duration) {
	c.note(fmt.Sprint("reply ", code))
}

func (c *counter) Overfull(string) {}

func (c *counter) Queued(endpoint string, dead bool) {
	c.note(endpoint + map[bool]string{true: " dead", false: " waits"}[dead])
}

func (c *counter) note(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, s)
}

func (c *counter) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.seen)
	return c.seen
}

// TestSpeaksFor: a copy is no recipient's own delivery where there is one.
func TestSpeaksFor(t *testing.T) {
	router := newHarness(t, setting{}).router([]webhook.Config{
		{Name: "copy", Copy: true, Defer: true}, {Name: "main", Match: []string{"a@in.example"}, Defer: true},
	})
	for _, c := range []struct {
		endpoint, to string
		want         bool
	}{
		{"main", "a@in.example", true},
		{"copy", "a@in.example", false},
		{"copy", "only-a-copy@in.example", true},
		{"gone", "a@in.example", true},
	} {
		if got := gateway.SpeaksFor(router, c.endpoint, mail.Recipient{Address: c.to}, mail.VerbMail); got != c.want {
			t.Errorf("%s for %s: %v", c.endpoint, c.to, got)
		}
	}
}
