package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway"
	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/smtp"
	"postern/gateway/smtp/address"
	"postern/gateway/smtp/reply"
	"postern/retry"
	"postern/webhook"
)

// people is a directory that gives one answer to everything and keeps what it
// was asked.
type people struct {
	answer directory.Answer
	asked  []directory.Query
}

func (p *people) say(q directory.Query) directory.Answer {
	p.asked = append(p.asked, q)
	a := p.answer
	if a.Address == "" {
		a.Address = q.Address
	}
	return a
}
func (p *people) Recipient(_ context.Context, q directory.Query) directory.Answer { return p.say(q) }
func (p *people) Verify(_ context.Context, q directory.Query) directory.Answer    { return p.say(q) }
func (p *people) Expand(_ context.Context, q directory.Query) directory.Answer    { return p.say(q) }

func answer(code int, a directory.Answer) directory.Answer {
	a.Reply = reply.Standard(code)
	return a
}

func parsed(t *testing.T, s string) smtp.Address {
	t.Helper()
	a, ok := address.Parse(s)
	if !ok {
		t.Fatalf("address %q", s)
	}
	return a
}

// TestRcpt walks what the directory and the endpoints say of a recipient.
func TestRcpt(t *testing.T) {
	https := webhook.Config{Name: "tls", URL: "https://127.0.0.1:1/", Match: []string{"*@tls.example"}}
	for _, c := range []struct {
		name      string
		directory directory.Answer
		t         smtp.Transaction
		to        string
		want      string // code and enhanced code
		endpoints string
	}{
		{"known", answer(250, directory.Answer{}), smtp.Transaction{}, "a@in.example", "250 2.0.0", "main"},
		{"refused", answer(550, directory.Answer{}), smtp.Transaction{}, "a@in.example", "550 5.7.1", ""},
		{"not now", answer(450, directory.Answer{}), smtp.Transaction{}, "a@in.example", "450 4.2.0", ""},
		{"an endpoint by name", answer(250, directory.Answer{Endpoint: "tls"}), smtp.Transaction{}, "a@in.example", "250 2.0.0", "tls"},
		{"an endpoint that isn't here", answer(250, directory.Answer{Endpoint: "gone"}), smtp.Transaction{}, "a@in.example", "450 4.3.0", ""},
		{"nobody serves it", answer(250, directory.Answer{}), smtp.Transaction{}, "a@elsewhere.example", "550 5.1.1", ""},
		{"forwarded", answer(251, directory.Answer{Address: "b@in.example"}), smtp.Transaction{}, "a@x.example", "251 2.1.5", "main"},
		{"forwarded to where nobody serves", answer(251, directory.Answer{Address: "b@elsewhere.example"}), smtp.Transaction{}, "a@in.example", "551 5.1.6", ""},
		{"REQUIRETLS, https", answer(250, directory.Answer{}), smtp.Transaction{RequireTLS: true}, "a@tls.example", "250 2.0.0", "tls"},
		{"REQUIRETLS, http", answer(250, directory.Answer{}), smtp.Transaction{RequireTLS: true}, "a@in.example", "550 5.7.30", ""},
		{"SEND, no terminal", answer(250, directory.Answer{}), smtp.Transaction{Verb: "SEND"}, "a@in.example", "450 4.2.1", ""},
		{"SEND", answer(250, directory.Answer{}), smtp.Transaction{Verb: "SEND"}, "a@live.example", "250 2.0.0", "live"},
		{"MAIL to a terminal alone", answer(250, directory.Answer{}), smtp.Transaction{Verb: "MAIL"}, "a@live.example", "550 5.1.1", ""},
	} {
		who := &people{answer: c.directory}
		h := newHarness(t, setting{noQueue: true, directory: who, endpoints: []webhook.Config{https, {Name: "live", Terminal: true, Match: []string{"*@live.example"}}, {Name: "main", Match: []string{"*@in.example"}}}})
		c.t.Client = &smtp.Client{Hello: "client.example", Addr: netip.MustParseAddrPort("[::ffff:192.0.2.7]:99")}
		c.t.From = parsed(t, "s@client.example")
		r := &smtp.Recipient{Address: parsed(t, c.to), Notify: []string{"SUCCESS"}, ORcpt: "rfc822;x"}
		got := h.gateway.Rcpt(t.Context(), &c.t, r)
		if s := fmt.Sprint(got.Code, " ", got.Enhanced); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
		if want := (directory.Query{Address: c.to, MailFrom: "s@client.example", Client: "192.0.2.7", Hello: "client.example"}); len(who.asked) != 1 || who.asked[0] != want {
			t.Errorf("%s: the directory was asked %+v", c.name, who.asked)
		}
		to, taken := r.Data.(dispatch.Recipient)
		if taken != (got.Code < 400) {
			t.Errorf("%s: the recipient is %+v", c.name, r.Data)
		}
		if taken && (names(to.Endpoints) != c.endpoints || len(to.Notify) != 1 || to.ORcpt != "rfc822;x" || (to.Original != "") != (got.Code == 251)) {
			t.Errorf("%s: the recipient is %+v", c.name, to)
		}
	}
}

func names(endpoints []*webhook.Endpoint) string {
	var out []string
	for _, e := range endpoints {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// TestTerminalThatFails: SEND is now or never, so a terminal whose breaker is
// open is no recipient's.
func TestTerminalThatFails(t *testing.T) {
	h := newHarness(t, setting{directory: &people{answer: answer(250, directory.Answer{})}, endpoints: []webhook.Config{{Name: "live", Terminal: true}}})
	h.answers(status(503))
	k := h.dial(h.addr, "EHLO")
	for range 5 {
		k.send("SEND", "", "a@in.example")
	}
	k.say("SEND FROM:<s@client.example>", 250)
	k.say("RCPT TO:<a@in.example>", 450)
}

func TestTags(t *testing.T) {
	h := newHarness(t, setting{noQueue: true})
	for given, want := range map[string]string{"a@in.example": "", "a+b@in.example": "b", "a+b+c@in.example": "b+c"} {
		r := &smtp.Recipient{Address: parsed(t, given)}
		h.gateway.Rcpt(t.Context(), &smtp.Transaction{Client: &smtp.Client{}}, r)
		if to := r.Data.(dispatch.Recipient); to.Tag != want {
			t.Errorf("%s: tag %q, want %q", given, to.Tag, want)
		}
	}
}

// TestLookups: VRFY and EXPN are the directory's to answer.
func TestLookups(t *testing.T) {
	who := &people{answer: answer(250, directory.Answer{})}
	h := newHarness(t, setting{noQueue: true, directory: who})
	c := &smtp.Client{Hello: "client.example"}
	if r := h.gateway.Verify(t.Context(), c, "ann"); r.Code != 250 {
		t.Errorf("VRFY: %+v", r)
	}
	if r := h.gateway.Expand(t.Context(), c, "list"); r.Code != 250 {
		t.Errorf("EXPN: %+v", r)
	}
	if want := []directory.Query{{Address: "ann", Hello: "client.example"}, {Address: "list", Hello: "client.example"}}; !slices.Equal(who.asked, want) {
		t.Errorf("asked %+v", who.asked)
	}
}

// TestStatus: numbers are for those who signed in or came by a unix socket.
func TestStatus(t *testing.T) {
	h := newHarness(t, setting{gateway: gateway.Config{Version: "1.2.3"}, endpoints: []webhook.Config{{Name: "a", Match: []string{"a@in.example"}, Defer: true}, {Name: "b", Defer: true}}})
	h.answers(func(w http.ResponseWriter, p post) {
		w.WriteHeader(map[string]int{"/a": 200, "/b": 503}[p.Path])
	})
	h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example", "b@in.example")
	if r := h.gateway.Status(t.Context(), &smtp.Client{}); len(r.Lines) != 1 || r.Code != 211 {
		t.Errorf("a stranger is told %q", r.Lines)
	}
	for _, c := range []*smtp.Client{{Auth: "ann"}, {Unix: true}} {
		r := h.gateway.Status(t.Context(), c)
		if text := strings.Join(r.Lines, "\n"); !strings.Contains(text, "Postern 1.2.3, up for 0s") || !strings.Contains(text, "Waiting deliveries: 1; dead letters: 0; octets: ") {
			t.Errorf("who may know is told %q", r.Lines)
		}
	}
	off := newHarness(t, setting{noQueue: true})
	if r := off.gateway.Status(t.Context(), &smtp.Client{Unix: true}); len(r.Lines) != 3 {
		t.Errorf("without a queue: %q", r.Lines)
	}
	bad := newHarness(t, setting{wrap: func(q gateway.Queue) gateway.Queue { return &broken{q, "stats", errBroken} }})
	if r := bad.gateway.Status(t.Context(), &smtp.Client{Unix: true}); len(r.Lines) != 3 || strings.Contains(r.Lines[2], "Waiting") {
		t.Errorf("with a broken queue: %q", r.Lines)
	}
}

// TestStatusCounts: what waits and what is being delivered, and the dead letters, of
// all endpoints.
func TestStatusCounts(t *testing.T) {
	h := newHarness(t, setting{wrap: func(q gateway.Queue) gateway.Queue { return countedQueue{q} }})
	r := h.gateway.Status(t.Context(), &smtp.Client{Unix: true})
	if got, want := r.Lines[2], "Waiting deliveries: 33; dead letters: 300; octets: 7 of 9"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// countedQueue is a queue with made-up numbers.
type countedQueue struct{ gateway.Queue }

// Stats implements gateway.Queue.
func (countedQueue) Stats(context.Context) (retry.Stats, error) {
	return retry.Stats{Bytes: 7, MaxBytes: 9, Endpoints: map[string]retry.Counts{
		"a": {Due: 1, Leased: 10, Dead: 100}, "b": {Due: 2, Leased: 20, Dead: 200},
	}}, nil
}

// TestNothingToCollect: TURN without a queue.
func TestNothingToCollect(t *testing.T) {
	h := newHarness(t, setting{noQueue: true})
	if _, r := h.gateway.Collect(t.Context(), &smtp.Client{Collect: []string{"default"}}); r.Code != 502 {
		t.Errorf("%+v", r)
	}
}

// TestFullSpool: there is no room for the message now, so it is 452.
func TestFullSpool(t *testing.T) {
	h := newHarness(t, setting{spool: 1000})
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	k.say("RCPT TO:<a@in.example>", 250)
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Subject: x\r\n\r\n%s.\r\n", strings.Repeat("y\r\n", 1000))
	if _, got := k.reply(); !strings.HasPrefix(got, "452 4.3.1") {
		t.Errorf("%q", got)
	}
	if got := k.send("MAIL", "", "a@in.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("a small one behind it: %q", got)
	}
}

// TestNewNeedsItsParts: what is missing is named.
func TestNewNeedsItsParts(t *testing.T) {
	if _, err := gateway.New(gateway.Config{}, gateway.Deps{}); err == nil {
		t.Error("a gateway without parts")
	}
}

// broken is a store in which one step fails.
type broken struct {
	gateway.Queue
	step string
	err  error
}

func (b *broken) fails(step string) error {
	if b.step == step {
		return b.err
	}
	return nil
}

func (b *broken) Reserve(ctx context.Context, n int64) (retry.Reservation, error) {
	if err := b.fails("reserve"); err != nil {
		return nil, err
	}
	return b.Queue.Reserve(ctx, n)
}

func (b *broken) Stage(ctx context.Context, r retry.Reservation, body retry.Body) (retry.BodyRef, error) {
	if err := b.fails("stage"); err != nil {
		return retry.BodyRef{}, err
	}
	return b.Queue.Stage(ctx, r, body)
}

func (b *broken) Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error) {
	if err := b.fails("enqueue"); err != nil {
		return retry.Result{}, err
	}
	return b.Queue.Enqueue(ctx, m, ds)
}

func (b *broken) Stats(ctx context.Context) (retry.Stats, error) {
	if err := b.fails("stats"); err != nil {
		return retry.Stats{}, err
	}
	return b.Queue.Stats(ctx)
}

var errBroken = errors.New("input/output error")

// TestBrokenStore: whichever step fails, the sender keeps the mail, and a
// healthy webhook needs no store.
func TestBrokenStore(t *testing.T) {
	for _, step := range []string{"reserve", "stage", "enqueue"} {
		for _, err := range []error{errBroken, fmt.Errorf("no room: %w", retry.ErrFull)} {
			for _, queueFirst := range []bool{false, true} {
				bad := &broken{step: step, err: err}
				h := newHarness(t, setting{gateway: gateway.Config{QueueFirst: queueFirst}, wrap: func(q gateway.Queue) gateway.Queue { bad.Queue = q; return bad }})
				h.answers(status(503))
				want := "451 4.3.0"
				if errors.Is(err, retry.ErrFull) {
					want = "452 4.3.1"
				}
				k := h.dial(h.addr, "EHLO")
				if got := k.try("a@in.example"); !strings.HasPrefix(got, want) {
					t.Errorf("%s fails, queue first %v: %q, want %s", step, queueFirst, got, want)
				}
				if w := h.waiting(); len(w) > 0 {
					t.Errorf("%s fails: the sender keeps the mail, and so does the queue: %+v", step, w)
				}
				h.answers(nil)
				if got := k.try("a@in.example"); !queueFirst && !strings.HasPrefix(got, "250 ") {
					t.Errorf("%s fails, the webhook takes it: %q", step, got)
				}
				l := h.dial(h.lmtp, "LHLO")
				h.answers(status(503))
				if got := l.try("a@in.example"); !strings.HasPrefix(got, want) {
					t.Errorf("%s fails, LMTP: %q, want %s", step, got, want)
				}
			}
		}
	}
}

// try gives a message as far as it is taken and returns the last reply.
func (k *client) try(to string) string {
	k.t.Helper()
	k.say("RSET", 250)
	k.say("MAIL FROM:<sender@client.example>", 250)
	k.say("RCPT TO:<"+to+">", 250)
	fmt.Fprintf(k.c, "DATA\r\n")
	code, text := k.reply()
	if code == 354 {
		fmt.Fprintf(k.c, "Message-ID: <try@client.example>\r\n\r\nbody\r\n.\r\n")
		_, text = k.reply()
	}
	return text
}

// TestFaultSteps: the points at which a crash is tried lie in this order, and a
// message that waits passes all of them.
func TestFaultSteps(t *testing.T) {
	var mu sync.Mutex
	var steps []string
	h := newHarness(t, setting{fault: func(point string) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, point)
	}})
	h.answers(status(503))
	h.dial(h.addr, "EHLO").send("MAIL", "", "a@in.example")
	mu.Lock()
	defer mu.Unlock()
	if want := []string{gateway.FaultSpooled, gateway.FaultParsed, gateway.FaultStaged, gateway.FaultEnqueued, gateway.FaultDecided}; !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
}

// TestFirstWait: a delivery that failed waits as the policy says, and one whose
// endpoint wasn't asked is due at once.
func TestFirstWait(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "asked", Match: []string{"a@in.example"}, Defer: true}, {Name: "paused", Defer: true}}})
	h.must(h.queue.Pause(context.Background(), "paused", 0, "a deploy"))
	k := h.dial(h.addr, "EHLO")
	for asked := true; asked; time.Sleep(10 * time.Millisecond) { // until the pause has reached fresh mail
		h.answers(nil)
		k.send("MAIL", "", "b@in.example")
		asked = len(h.got()) > 0
	}
	h.answers(status(503))
	k.send("MAIL", "", "a@in.example")
	for _, i := range h.waiting() {
		wait, tried := i.DueAt.Sub(i.Received), i.Attempts
		switch {
		case i.Endpoint == "asked" && (tried != 1 || wait < 3*time.Second || wait > 8*time.Second):
			t.Errorf("asked: due after %s, %d attempts", wait, tried)
		case i.Endpoint == "paused" && (tried != 0 || wait > time.Second):
			t.Errorf("not asked: due after %s, %d attempts", wait, tried)
		}
	}
	if len(h.waiting()) != 2 || len(h.got()) != 1 {
		t.Errorf("%d wait after %d posts", len(h.waiting()), len(h.got()))
	}
}
