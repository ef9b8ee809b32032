package dispatch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
	"postern/webhook/payload"
)

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// What a receiver finds too large goes once more with its content by url, which
// is durable before.
func TestTooLargeGoesOnceMoreByURL(t *testing.T) {
	limit := func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 10<<10 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}
	for _, c := range []struct {
		name   string
		urls   URLs
		size   int
		kept   error
		posts  int
		keeps  int
		reason webhook.Reason
	}{
		{"with urls", makeURLs, 100 << 10, nil, 2, 1, webhook.ReasonDelivered},
		{"without urls", nil, 100 << 10, nil, 1, 0, webhook.ReasonTooLarge},
		{"small enough", makeURLs, 1 << 10, nil, 1, 0, webhook.ReasonDelivered},
		{"a store that can't keep", makeURLs, 100 << 10, errFull, 1, 1, webhook.ReasonRender},
	} {
		for _, origin := range []Origin{Fresh, Queued} {
			b := newBench(t, limit, Deps{URLs: c.urls})
			k := &keeper{err: c.kept}
			m := newMail(t, c.size)
			m.Keep = k.keep
			d := b.fresh(m)
			d.Origin = origin
			b.Deliver(t.Context(), d)
			if d.Outcome.Reason != c.reason || b.posts() != c.posts || len(k.until) != c.keeps || len(k.until) > 0 && k.until[0] != urlsEnd {
				t.Errorf("%s, %d: %+v after %d posts, kept until %v", c.name, origin, d.Outcome, b.posts(), k.until)
			}
		}
	}
	b := newBench(t, limit, Deps{URLs: makeURLs})
	m := textMail(100 << 10)
	m.Keep = new(keeper).keep
	d := b.fresh(m)
	if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonTooLarge || d.Outcome.Result != webhook.Deferred || b.posts() != 1 {
		t.Errorf("with nothing to leave out: %+v after %d posts", d.Outcome, b.posts())
	}
}

// A 413 says nothing about the endpoint's health.
func TestTooLargeNeverOpensTheBreaker(t *testing.T) {
	b := newBench(t, status(413), Deps{})
	for range 50 {
		d := b.fresh(newMail(t, 0))
		if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonTooLarge {
			t.Fatalf("%+v", d.Outcome)
		}
	}
}

// What the endpoint asks for by url from the start is kept before its only POST.
func TestKeptBeforeThePOST(t *testing.T) {
	k := &keeper{err: errFull}
	b := newBench(t, nil, Deps{URLs: makeURLs}, webhook.Config{Name: "main", Attachments: payload.URL})
	m := newMail(t, 100)
	m.Keep = k.keep
	d := b.fresh(m)
	if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonRender || b.posts() != 0 {
		t.Errorf("what can't be kept is posted: %+v", d.Outcome)
	}
	k.err = nil
	if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered || len(k.until) != 2 {
		t.Errorf("%+v, kept %v", d.Outcome, k.until)
	}
	m.Keep = nil // no store
	if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered || strings.Contains(string(b.bodies[len(b.bodies)-1]), "https://mx.example/") {
		t.Errorf("without a store content goes inline: %+v", d.Outcome)
	}
}

// The sum of the raw message is made once, however many endpoints want it, and
// not at all where none does.
func TestRawSumOnce(t *testing.T) {
	for _, c := range []struct {
		raw  payload.Where
		want int // readers beside the parser: one for the sum, for each body one and its attachment's
	}{{payload.Inline, 5}, {payload.Omit, 2}} {
		b := newBench(t, nil, Deps{}, webhook.Config{Name: "one", Raw: c.raw}, webhook.Config{Name: "two", Raw: c.raw})
		plain := newMail(t, 0)
		src := &countedSource{Source: plain.raw()}
		m := NewMail(plain.Envelope, func() mail.Source { return src })
		b.must(b.Open(t.Context(), m))
		src.opened = 0
		for _, ep := range b.router.Endpoints() {
			d := &Delivery{Mail: m, Endpoint: ep, To: []mail.Recipient{{Address: "a@in.example"}}, Attempt: 1}
			if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered {
				t.Errorf("%+v", d.Outcome)
			}
		}
		if src.opened != c.want {
			t.Errorf("RAW=%s: the message was read %d times, want %d", c.raw, src.opened, c.want)
		}
	}
}

// countedSource counts its readers.
type countedSource struct {
	mail.Source
	opened int
}

func (c *countedSource) Open() (io.ReadSeekCloser, error) {
	c.opened++
	return c.Source.Open()
}

// REQUIRETLS is never sent in the clear, fresh or queued.
func TestRequireTLS(t *testing.T) {
	b := newBench(t, nil, Deps{})
	for _, origin := range []Origin{Fresh, Queued} {
		m := newMail(t, 0)
		m.Envelope.RequireTLS = true
		d := b.fresh(m)
		d.Origin = origin
		b.Deliver(t.Context(), d)
		if refused := b.Refuses(d); !refused {
			t.Errorf("%d: it may be queued for an endpoint in the clear", origin)
		}
		if r := d.Outcome.SMTPReplyQueued(); d.Outcome.Result != webhook.Rejected || r.Code != 550 || r.Enhanced.String() != "5.7.30" || d.Outcome.Endpoint != "main" {
			t.Errorf("%d: %+v", origin, d.Outcome)
		}
	}
	if b.posts() > 0 {
		t.Error("posted in the clear")
	}
}

// The gate is asked about fresh mail once, before it is posted or queued;
// queued mail has passed it.
func TestGate(t *testing.T) {
	asked := 0
	gate := func(ep *webhook.Endpoint, env *mail.Envelope, m *mail.Message) *webhook.Outcome {
		asked++
		if m.Subject != "hello" || env.ID != "m1" || ep.Name() != "main" {
			t.Errorf("asked about %s for %s", env.ID, ep)
		}
		return &webhook.Outcome{Result: webhook.Rejected, Reason: "gate"}
	}
	watch := &watcher{}
	b := newBench(t, nil, Deps{Gate: gate, Observer: watch})
	d := b.fresh(b.opened(newMail(t, 0)))
	if b.Deliver(t.Context(), d); d.Outcome.Reason != "gate" || d.Outcome.Endpoint != "main" || b.posts() != 0 || len(watch.seen) != 1 {
		t.Errorf("%+v after %d posts, observed %v", d.Outcome, b.posts(), watch.seen)
	}
	if !b.Refuses(d) || asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	q := b.queued(newMail(t, 0))
	if b.Deliver(t.Context(), q); q.Outcome.Result != webhook.Delivered || asked != 2 {
		t.Errorf("queued: %+v, asked %d times", q.Outcome, asked)
	}
	d.AlreadyDelivered = true
	if b.Refuses(d) {
		t.Error("what was taken before is refused")
	}
	pass := newBench(t, nil, Deps{Gate: func(*webhook.Endpoint, *mail.Envelope, *mail.Message) *webhook.Outcome { return nil }})
	d = pass.fresh(pass.opened(newMail(t, 0)))
	if pass.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered {
		t.Errorf("who may pass: %+v", d.Outcome)
	}
}

// watcher notes what an observer hears.
type watcher struct {
	seen []webhook.Outcome
	ages []time.Duration
}

func (w *watcher) Delivered(o webhook.Outcome, age time.Duration) {
	w.seen, w.ages = append(w.seen, o), append(w.ages, age)
}

// Each origin has its own time for the answer.
func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}, Deps{}, webhook.Config{Name: "main", Timeout: 20 * time.Millisecond, RetryTimeout: time.Minute})
	d := b.fresh(newMail(t, 0))
	if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonTimeout {
		t.Errorf("fresh: %+v", d.Outcome)
	}
	q := b.queued(newMail(t, 0))
	time.AfterFunc(200*time.Millisecond, func() { close(release) })
	if b.Deliver(t.Context(), q); q.Outcome.Result != webhook.Delivered || q.Outcome.Elapsed < 100*time.Millisecond {
		t.Errorf("queued: %+v", q.Outcome)
	}
}

// Only an attempt that had its time speaks for the endpoint's health.
func TestCut(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	deferred, delivered := webhook.Outcome{Result: webhook.Deferred}, webhook.Outcome{Result: webhook.Delivered}
	long := deferred
	long.Elapsed = webhook.DefaultTimeout
	for _, c := range []struct {
		name   string
		ctx    context.Context
		origin Origin
		o      webhook.Outcome
		want   bool
	}{
		{"fresh, not ended", t.Context(), Fresh, deferred, false},
		{"queued, not ended", t.Context(), Queued, deferred, false},
		{"fresh, soon", ended, Fresh, deferred, true},
		{"fresh, after its time", ended, Fresh, long, false},
		{"queued, shutdown", ended, Queued, deferred, true},
		{"queued, shutdown, late", ended, Queued, long, true},
		{"delivered all the same", ended, Queued, delivered, false},
	} {
		if got := cutShort(c.ctx, &Delivery{Origin: c.origin}, c.o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Every reason says whether the endpoint was asked and what that says of its health.
func TestReasons(t *testing.T) {
	unasked := []webhook.Reason{webhook.ReasonBreaker, webhook.ReasonPaused, webhook.ReasonNoSlot, webhook.ReasonMemory, webhook.ReasonSender, webhook.ReasonUnsure}
	ours := []webhook.Reason{webhook.ReasonRender, webhook.ReasonInsecure}
	failing := []webhook.Reason{webhook.ReasonBusy, webhook.ReasonMisconfigured, webhook.ReasonUnavailable, webhook.ReasonEarly,
		webhook.ReasonTimeout, webhook.ReasonConnect, webhook.ReasonDNS, webhook.ReasonTLS}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range webhook.Reasons() {
		o := webhook.Outcome{Reason: r, Result: webhook.Deferred}
		if Asked(o) == slices.Contains(unasked, r) {
			t.Errorf("%s: asked %v", r, Asked(o))
		}
		want, wantCut := retry.Healthy, retry.Healthy
		switch {
		case slices.Contains(ours, r), r == webhook.ReasonMemory:
			want, wantCut = retry.HealthUnknown, retry.HealthUnknown
		case slices.Contains(failing, r):
			want, wantCut = retry.Unhealthy, retry.HealthUnknown
		case slices.Contains(unasked, r):
			continue // these end before a breaker is asked
		}
		d := &Delivery{Origin: Queued}
		if got, cut := health(t.Context(), d, o), health(ended, d, o); got != want || cut != wantCut {
			t.Errorf("%s: %v, and %v where we cut it short; want %v and %v", r, got, cut, want, wantCut)
		}
	}
}

// A breaker that is open, a pause and slots that are taken keep fresh mail away
// from the endpoint, and say so.
func TestNotAsked(t *testing.T) {
	b := newBench(t, status(503), Deps{})
	for range 5 {
		b.Deliver(t.Context(), b.fresh(newMail(t, 0)))
	}
	for _, d := range []*Delivery{b.fresh(newMail(t, 0)), b.queued(newMail(t, 0))} {
		if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonBreaker || b.posts() != 5 {
			t.Errorf("breaker open: %+v after %d posts", d.Outcome, b.posts())
		}
	}
	b = newBench(t, nil, Deps{}, webhook.Config{Name: "main", Concurrency: 1})
	only := b.slots[b.fresh(newMail(t, 0)).Endpoint]
	b.must(only.acquire(t.Context(), Fresh, func() {}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	d := b.fresh(newMail(t, 0))
	if b.Deliver(ctx, d); d.Outcome.Reason != webhook.ReasonNoSlot || d.Outcome.Result != webhook.Deferred || !errors.Is(d.Outcome.Err, context.DeadlineExceeded) {
		t.Errorf("no slot: %+v", d.Outcome)
	}
	only.release(Fresh)
	if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered {
		t.Errorf("a slot: %+v", d.Outcome)
	}
}

// An endpoint that fails is not waited for: its breaker is asked before a slot.
func TestBreakerBeforeSlots(t *testing.T) {
	b := newBench(t, status(503), Deps{}, webhook.Config{Name: "main", Concurrency: 1})
	for range 5 {
		b.Deliver(t.Context(), b.fresh(newMail(t, 0)))
	}
	only := b.slots[b.fresh(newMail(t, 0)).Endpoint]
	b.must(only.acquire(t.Context(), Fresh, func() {}))
	defer only.release(Fresh)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	d := b.fresh(newMail(t, 0))
	if b.Deliver(ctx, d); d.Outcome.Reason != webhook.ReasonBreaker {
		t.Errorf("%+v", d.Outcome)
	}
}

// Only an LMTP client hears of each recipient.
func TestAnswersForEach(t *testing.T) {
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"smtp":{"recipients":{"a@in.example":{"code":550}}}}`)
	}, Deps{})
	for protocol, want := range map[string]int{"ESMTP": 0, "LMTP": 1, "UTF8LMTPSA": 1, "SMTP": 0} {
		m := newMail(t, 0)
		m.Envelope.Protocol = protocol
		d := b.fresh(m)
		if b.Deliver(t.Context(), d); len(d.Outcome.Recipients) != want || d.Outcome.Result != webhook.Delivered {
			t.Errorf("%s: %+v", protocol, d.Outcome)
		}
	}
}

// A message whose octets can't be read is not posted, and says nothing about
// the endpoint.
func TestUnreadable(t *testing.T) {
	answered := 0
	b := newBench(t, nil, Deps{Fault: func(point string) {
		if point == FaultAnswered {
			answered++
		}
	}})
	for range 10 {
		d := b.fresh(NewMail(newMail(t, 0).Envelope, func() mail.Source { return gone{} }))
		if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonRender || d.Outcome.Result != webhook.Deferred || !errors.Is(d.Outcome.Err, errFull) {
			t.Fatalf("%+v", d.Outcome)
		}
	}
	d := b.fresh(newMail(t, 0))
	if b.Deliver(t.Context(), d); d.Outcome.Result != webhook.Delivered || b.posts() != 1 || answered != 11 {
		t.Errorf("%+v after %d posts, %d steps", d.Outcome, b.posts(), answered)
	}
}

// gone is a source whose file isn't there any more.
type gone struct{}

func (gone) Open() (io.ReadSeekCloser, error) { return nil, errFull }
func (gone) Size() int64                      { return 100 }

// An attempt that we cut says nothing about the endpoint; one that had its time
// does, and the breaker's done is called once for each that began.
func TestWhatTheBreakerHears(t *testing.T) {
	heard := &listener{}
	b := newBench(t, nil, Deps{})
	b.deps.Breakers = heard
	for code, want := range map[int]retry.Health{200: retry.Healthy, 406: retry.Healthy, 413: retry.Healthy, 503: retry.Unhealthy, 404: retry.Unhealthy, 429: retry.Unhealthy} {
		hook := newBench(t, status(code), Deps{})
		hook.deps.Breakers = heard
		heard.said = nil
		d := hook.fresh(newMail(t, 0))
		if hook.Deliver(t.Context(), d); len(heard.said) != 1 || heard.said[0] != want {
			t.Errorf("%d: the breaker hears %v", code, heard.said)
		}
	}
	heard.said = nil
	ended, cancel := context.WithCancel(t.Context())
	hangs := newBench(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }, Deps{})
	hangs.deps.Breakers = heard
	cut := hangs.fresh(newMail(t, 0))
	if hangs.Deliver(ended, cut); cut.Outcome.Result != webhook.Deferred || !slices.Equal(heard.said, []retry.Health{retry.HealthUnknown}) {
		t.Errorf("cut short: the breaker hears %v of %+v", heard.said, cut.Outcome)
	}
	heard.said, heard.closed = nil, true
	d := b.fresh(newMail(t, 0))
	if b.Deliver(t.Context(), d); d.Outcome.Reason != webhook.ReasonBreaker || len(heard.said) > 0 || b.posts() > 0 {
		t.Errorf("no leave at the last moment: %+v", d.Outcome)
	}
}

// listener is a breaker that notes what it is told; closed gives no leave.
type listener struct {
	said   []retry.Health
	closed bool
}

func (l *listener) Allowed(string) bool { return true }
func (l *listener) Begin(string) (func(retry.Health), bool) {
	return func(h retry.Health) { l.said = append(l.said, h) }, !l.closed
}
