package ops

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway/archive"
	"postern/gateway/history"
	"postern/gateway/ops/page"
	"postern/gateway/preview"
	"postern/retry"
	"postern/webhook"
)

// previews are of an endpoint with secrets; "crm" isn't configured any more.
func previews(t *testing.T) func(*archive.Mail, string, preview.Delivery) (*webhook.Preview, error) {
	t.Helper()
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "app", URL: "https://app.example.com/?key=s3cret", Token: webhook.Fixed("s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	sender, err := webhook.NewSender(webhook.SenderConfig{Hostname: "mx.example"}, webhook.SenderDeps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	return func(m *archive.Mail, endpoint string, d preview.Delivery) (*webhook.Preview, error) {
		if endpoint != "app" {
			return nil, preview.ErrEndpoint
		}
		return preview.Of(sender, ep, m, d, preview.Options{})
	}
}

// A message's view leads to the POST that was made, and to sending it again.
func TestPageRequest(t *testing.T) {
	f := &fakeAgain{}
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) { d.Preview, d.Again = previews(t), f })
	v := visit(t, srv)
	v.signIn()
	_, message := v.get("/messages/m1")
	for _, w := range []string{`<h1><bdi>x</bdi></h1>`, "/messages/m1/request?delivery=d1", "Send again", "<option>app</option>", "&lt;b&gt;later&lt;/b&gt;"} {
		if !strings.Contains(message, w) {
			t.Errorf("the message's view lacks %q:\n%s", w, message)
		}
	}
	resp, request := v.get("/messages/m1/request?delivery=d1")
	for _, w := range []string{"POST https://app.example.com/?…", "Authorization: Bearer [hidden]", "Webhook-Id: d1", "curl --request POST", "@&#39;d1.json&#39;", "&#34;subject&#34;: &#34;x&#34;"} {
		if resp.StatusCode != 200 || !strings.Contains(request, w) {
			t.Errorf("the request's view, %d, lacks %q:\n%s", resp.StatusCode, w, request)
		}
	}
	if strings.Contains(request, "s3cret") {
		t.Error("a secret is shown")
	}
	if resp, body := v.get("/messages/m1/request/body?delivery=d1"); !strings.HasPrefix(body, `{"type":"email.received"`) || resp.Header.Get("Content-Disposition") != `attachment; filename="d1.json"` ||
		!strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the body: %v %.60s", resp.Header, body)
	}
	for path, status := range map[string]int{"m1/request?delivery=d2": 404, "m1/request?delivery=d9": 404, "m1/request": 404, "m2/request?delivery=d1": 404, "m9/request?delivery=d1": 404} {
		if resp, _ := v.get("/messages/" + path); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
		}
	}
	once := regexp.MustCompile(`name="once" value="([^"]+)"`).FindStringSubmatch(message)
	if once == nil {
		t.Fatal("a second click would be a second delivery")
	}
	if resp, page := v.post("/messages/m1", "do", "send", "to", "app", "once", once[1]); resp.Request.URL.RawQuery != "done=sent&n=1" || !strings.Contains(page, "1 delivery queued again and due now.") {
		t.Errorf("sent: %s", resp.Request.URL)
	}
	if len(f.asked) != 1 || f.asked[0].Endpoint != "app" || f.asked[0].Once != once[1] || !strings.HasPrefix(f.asked[0].By, "session:") {
		t.Errorf("%+v", f.asked)
	}
	for _, c := range []struct {
		path   string
		fields []string
		status int
	}{
		{"/messages/m9", []string{"do", "send"}, 404}, {"/messages/m1", []string{"do", "send", "to", "nowhere"}, 400}, {"/messages/m1", []string{"do", "send", "same_id", "yes"}, 409},
		{"/messages/m1", []string{"do", "burn"}, 400},
	} {
		if resp, _ := v.post(c.path, c.fields...); resp.StatusCode != c.status {
			t.Errorf("%s %v: %d, want %d", c.path, c.fields, resp.StatusCode, c.status)
		}
	}
	if resp, _ := v.postFrom("https://evil.example", "/messages/m1", "do", "send"); resp.StatusCode != 403 {
		t.Errorf("a form from elsewhere: %d", resp.StatusCode)
	}
}

// slowQueue changes deliveries when it is told to.
type slowQueue struct {
	*memQueue
	mu    sync.Mutex
	steps [][]string
	let   chan struct{}
}

func (q *slowQueue) Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error) {
	q.mu.Lock()
	q.steps = append(q.steps, f.IDs)
	q.mu.Unlock()
	select {
	case <-q.let:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return q.memQueue.Replay(ctx, f, to, wait)
}

// A change of many deliveries shows how far it is, goes on without its browser,
// and is one at a time.
func TestPageBulk(t *testing.T) {
	var infos []retry.Info
	for n := range 1200 {
		infos = append(infos, retry.Info{ID: fmt.Sprintf("d%04d", n), MessageID: "m1", Endpoint: "app", State: retry.Dead})
	}
	q := &slowQueue{memQueue: newMemQueue(infos...), let: make(chan struct{})}
	srv := newTestServer(t, q, nil)
	v := visit(t, srv)
	v.signIn()
	if _, page := v.post("/queue", "do", "replay", "state", "dead"); !strings.Contains(page, "more than 1000 deliveries will live again.") {
		t.Errorf("it isn't asked first: %s", page)
	}
	resp, shown := v.post("/queue", "do", "replay", "state", "dead", "back", "/queue?state=dead", "sure", "yes")
	if resp.Request.URL.Path != "/queue/change" || !strings.Contains(shown, "0 of 1200 deliveries so far") || resp.Header.Get("Refresh") == "" {
		t.Errorf("on its way: %s %s", resp.Request.URL, shown)
	}
	if resp, _ := v.post("/queue", "do", "delete", "state", "dead", "sure", "yes"); resp.StatusCode != http.StatusConflict {
		t.Errorf("two at once: %d", resp.StatusCode)
	}
	q.let <- struct{}{}
	wait(t, v, "500 of 1200 deliveries so far")
	close(q.let)
	wait(t, v, "Done: 1200 deliveries.")
	if len(q.steps) != 3 || len(q.steps[0]) != 500 || len(q.steps[2]) != 200 {
		t.Errorf("%d steps", len(q.steps))
	}
	if slices.ContainsFunc(q.infos, func(i retry.Info) bool { return i.State != retry.Due }) {
		t.Error("not all live again")
	}
}

// wait looks until the change's view says so.
func wait(t *testing.T, v *visitor, want string) {
	t.Helper()
	page := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, page = v.get("/queue/change"); strings.Contains(page, want) {
			return
		}
	}
	t.Errorf("it never says %q:\n%s", want, page)
}

// What is due and can't go now says so, and not that it goes now.
func TestPageHeld(t *testing.T) {
	q := testQueue(t)
	q.infos[0].DueAt = time.Now().Add(-time.Hour)
	srv := newTestServer(t, q, nil)
	v := visit(t, srv)
	v.signIn()
	if _, page := v.get("/queue?state=due"); !strings.Contains(page, "next: now") {
		t.Error("what is due isn't due now")
	}
	v.post("/endpoints/app", "do", "pause", "why", "deploy")
	for _, path := range []string{"/queue?state=due", "/messages/m1"} {
		if _, page := v.get(path); !strings.Contains(page, "once resumed") || strings.Contains(page, "next: now") {
			t.Errorf("%s: paused mail is due now", path)
		}
	}
}

// Each endpoint has its own last hour; what is no attempt isn't counted.
func TestLiveEndpoint(t *testing.T) {
	now := time.Unix(1767225600, 0)
	l := page.NewLive(func() time.Time { return now })
	l.Transaction(history.Record{Result: history.Accepted, Attempts: []history.Attempt{{Endpoint: "a", Reason: "delivered"}, {Endpoint: "b", Reason: "unavailable"}}})
	now = now.Add(2 * time.Minute)
	l.Attempt(history.Attempt{Endpoint: "b", Reason: "delivered", Settles: history.SettledDone})
	l.Attempt(history.Attempt{Endpoint: "b", Reason: "given up: expired", Settles: history.SettledDead})
	l.Attempt(history.Attempt{Endpoint: "b", Reason: "sent again", Settles: history.QueuedAgain})
	l.Attempt(history.Attempt{Endpoint: "b", Reason: "paused"})
	l.Attempt(history.Attempt{Endpoint: "b", Reason: "breaker_open"})
	all := l.Endpoint("b")
	if len(all) != 60 || all[57].Failed != 1 || all[57].Delivered != 0 || all[59].Delivered != 1 || all[59].Failed != 0 {
		t.Errorf("b: %v", all[56:])
	}
	now = now.Add(59 * time.Minute)
	if all = l.Endpoint("b"); all[0].Delivered != 1 || all[0].Failed != 0 || slices.ContainsFunc(all[1:], func(m page.Minute) bool { return m.Delivered+m.Failed > 0 }) {
		t.Errorf("an hour later: %v", all[:3])
	}
	if a := l.Endpoint("nobody"); len(a) != 60 {
		t.Errorf("%d minutes of nobody", len(a))
	}
}
