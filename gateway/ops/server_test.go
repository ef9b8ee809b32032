package ops

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/ops/page"
	"postern/retry"
	"postern/webhook"
)

func alwaysReady(context.Context) error { return nil }

const testToken = "correct horse battery staple"

func newTestServer(t *testing.T, q Queue, change func(*Config, *Deps)) *httptest.Server {
	t.Helper()
	cfg := Config{Version: "1.2.3", Token: func() webhook.Secret { return testToken }}
	deps := Deps{Queue: q, Ready: alwaysReady, Gatherer: prometheus.NewRegistry(), History: testHistory(t), Live: page.NewLive(time.Now),
		Endpoints: []Endpoint{{Name: "app", URL: "https://app.example.com/…", Format: "postern"}, {Name: "crm", URL: "https://crm.example.com/"}}}
	if change != nil {
		change(&cfg, &deps)
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(held(t, s.Handler()))
	t.Cleanup(srv.Close)
	return srv
}

// ask makes a request with the token and decodes the JSON answer.
func ask(t *testing.T, srv *httptest.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatalf("%s %s: %d and no JSON: %v", method, path, resp.StatusCode, err)
	}
	return resp.StatusCode, v
}

func get(t *testing.T, srv *httptest.Server, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestProbes(t *testing.T) {
	var trouble, store error
	srv := newTestServer(t, nil, func(_ *Config, d *Deps) {
		d.Ready = func(context.Context) error { return trouble }
		d.Degraded = func(context.Context) error { return store }
	})
	draining, full := errors.New("draining"), errors.New("the disk is full")
	for _, c := range []struct {
		path           string
		trouble, store error
		status         int
		says           string
	}{
		{"/livez", nil, nil, 200, "ok"},
		{"/readyz", nil, nil, 200, "ready"},
		{"/livez", draining, full, 200, "ok"},
		{"/readyz", draining, nil, 503, "not ready: draining"},
		{"/readyz", nil, full, 200, "ready, but degraded: the disk is full"},
		{"/readyz", draining, full, 503, "not ready: draining"},
	} {
		trouble, store = c.trouble, c.store
		if resp, text := get(t, srv, c.path); resp.StatusCode != c.status || strings.TrimSpace(text) != c.says {
			t.Errorf("%s with %v, %v: %d %q", c.path, c.trouble, c.store, resp.StatusCode, text)
		}
	}
	trouble = nil
	if _, status := ask(t, srv, "GET", "/api/v1/status", ""); status["ready"] != true || status["degraded"] != "the disk is full" {
		t.Errorf("status: %v", status)
	}
}

func TestToken(t *testing.T) {
	token := webhook.Secret(testToken)
	srv := newTestServer(t, newMemQueue(), func(c *Config, _ *Deps) { c.Token = func() webhook.Secret { return token } })
	for _, c := range []struct {
		header string
		status int
	}{
		{"", 401}, {"Bearer", 401}, {"Bearer wrong", 401}, {"Basic " + testToken, 401}, {testToken, 401},
		{"Bearer " + testToken + "x", 401}, {"Bearer " + testToken, 200}, {"bearer  " + testToken, 200},
	} {
		for _, path := range []string{"/api/v1/status", "/api/v1/deliveries", "/api/v1/endpoints"} {
			if resp, body := get(t, srv, path, "Authorization", c.header); resp.StatusCode != c.status || strings.Contains(body, testToken) {
				t.Errorf("%s with %q: %d, want %d", path, c.header, resp.StatusCode, c.status)
			}
		}
	}
	if resp, _ := get(t, srv, "/api/v1/no/such"); resp.StatusCode != 401 {
		t.Errorf("an unknown path tells strangers %d", resp.StatusCode)
	}
	for path, want := range map[string]int{"/assets/": 404, "/assets": 404, "/assets/page.html": 404, "/assets/page.js": 200, "/assets/page.css": 200} {
		if resp, _ := get(t, srv, path); resp.StatusCode != want {
			t.Errorf("%s answers %d, want %d: no folder is listed", path, resp.StatusCode, want)
		}
	}
	token = "" // taken out of its file
	for _, path := range []string{"/api/v1/status", "/", "/assets/page.js"} {
		if resp, _ := get(t, srv, path, "Authorization", "Bearer "); resp.StatusCode != 404 {
			t.Errorf("without a token %s answers %d", path, resp.StatusCode)
		}
	}
}

func testQueue(t *testing.T) *memQueue {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	q := newMemQueue(
		retry.Info{ID: "d1", MessageID: "m1", Endpoint: "app", State: retry.Due, Recipients: []string{"a@example.com"}, From: "s@example.org", Received: at, Size: 7},
		retry.Info{ID: "d2", MessageID: "m1", Endpoint: "crm", State: retry.Dead, Reason: "rejected", Recipients: []string{"b@example.com"}, Received: at},
		retry.Info{ID: "d3", MessageID: "m2", Endpoint: "crm", State: retry.Dead, Reason: "expired", Recipients: []string{"b@example.com"}, Received: at},
		retry.Info{ID: "d4", MessageID: "m3", Endpoint: "old", State: retry.Leased, Recipients: []string{"c@example.com"}, Received: at},
	)
	q.attempts["d1"] = []retry.PastAttempt{{N: 1, Attempt: retry.Attempt{At: at, Status: 503, Reason: "unavailable"}}}
	q.keep(t, &mail.Envelope{ID: "m1", Received: at, Trace: "Received: from there\r\n"}, []byte("Subject: x\r\n\r\nbody\r\n"))
	return q
}

func TestList(t *testing.T) {
	srv := newTestServer(t, testQueue(t), nil)
	for query, want := range map[string]string{
		"": "d1 d2 d3 d4", "?state=dead": "d2 d3", "?endpoint=app": "d1", "?reason=expired": "d3", "?recipient=b@example.com": "d2 d3",
		"?message_id=m1": "d1 d2", "?before=2026-01-01T00:00:00Z": "", "?since=2026-01-02T03:04:05Z": "d1 d2 d3 d4", "?since=2026-01-02T03:04:06Z": "", "?limit=2": "d1 d2 next=d2", "?limit=2&after=d2": "d3 d4", "?id=d1&id=d4": "d1 d4",
	} {
		status, v := ask(t, srv, "GET", "/api/v1/deliveries"+query, "")
		var got []string
		for _, d := range v["deliveries"].([]any) {
			got = append(got, d.(map[string]any)["id"].(string))
		}
		if next, ok := v["next"]; ok {
			got = append(got, "next="+next.(string))
		}
		if status != 200 || strings.Join(got, " ") != want {
			t.Errorf("%q: %d %v, want %s", query, status, got, want)
		}
	}
	for _, query := range []string{"?state=lost", "?limit=0", "?limit=5000", "?before=yesterday", "?state=dead&endpoint=", "?state=", "?recipient", "?before="} {
		if status, v := ask(t, srv, "GET", "/api/v1/deliveries"+query, ""); status != 400 || v["detail"] == nil {
			t.Errorf("%q: %d %v", query, status, v)
		}
	}
}

func TestShowAndExport(t *testing.T) {
	q := testQueue(t)
	srv := newTestServer(t, q, nil)
	status, v := ask(t, srv, "GET", "/api/v1/deliveries/d1", "")
	if status != 200 || v["delivery"].(map[string]any)["from"] != "s@example.org" || len(v["attempts"].([]any)) != 1 {
		t.Errorf("show: %d %v", status, v)
	}
	for _, path := range []string{"/api/v1/deliveries/d1/message", "/api/v1/messages/m1/raw"} {
		resp, text := get(t, srv, path, "Authorization", "Bearer "+testToken)
		if want := "Received: from there\r\nSubject: x\r\n\r\nbody\r\n"; resp.StatusCode != 200 || text != want ||
			resp.Header.Get("Content-Type") != "message/rfc822" || resp.Header.Get("Content-Disposition") != "attachment; filename=m1.eml" {
			t.Errorf("%s: %d %v %q", path, resp.StatusCode, resp.Header, text)
		}
	}
	for _, path := range []string{"/api/v1/deliveries/no", "/api/v1/deliveries/no/message", "/api/v1/messages/no", "/api/v1/nothing"} {
		if status, v := ask(t, srv, "GET", path, ""); status != 404 || v["detail"] == nil {
			t.Errorf("%s: %d %v", path, status, v)
		}
	}
	bad := q.messages["m1"]
	bad.sum[0]++
	q.messages["m1"] = bad
	if status, _ := ask(t, srv, "GET", "/api/v1/messages/m1/raw", ""); status != 500 {
		t.Errorf("a damaged message: %d", status)
	}
	if resp, _ := get(t, srv, "/api/v1/messages/m1/raw?damaged=true", "Authorization", "Bearer "+testToken); resp.StatusCode != 200 {
		t.Errorf("a damaged message that was asked for: %d", resp.StatusCode)
	}
}

func TestChangeDeliveries(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		status             int
		key                string
		n                  float64
		left               int // dead and due deliveries of all
	}{
		{"POST", "/api/v1/deliveries/d2/replay", "", 200, "replayed", 1, 4},
		{"POST", "/api/v1/deliveries/d2/replay", `{"to":"app"}`, 200, "replayed", 1, 4},
		{"POST", "/api/v1/deliveries/d2/replay", `{"to":"nowhere"}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/deliveries/d1/replay", "", 409, "detail", 0, 4},
		{"POST", "/api/v1/deliveries/no/replay", "", 404, "detail", 0, 4},
		{"POST", "/api/v1/replay", `{"state":"dead","endpoint":"crm"}`, 200, "replayed", 2, 4},
		{"POST", "/api/v1/replay", `{}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/replay", `{"all":true}`, 200, "replayed", 2, 4},
		{"POST", "/api/v1/replay", `{"stat":"dead"}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/replay", `{"state":"lost"}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/replay", `nonsense`, 400, "detail", 0, 4},
		{"POST", "/api/v1/deliveries/d1/retry", "", 200, "due", 1, 4},
		{"POST", "/api/v1/deliveries/d2/retry", "", 409, "detail", 0, 4},
		{"POST", "/api/v1/deliveries/no/retry", "", 404, "detail", 0, 4},
		{"POST", "/api/v1/retry", `{"endpoint":"app","spread":"5m"}`, 200, "due", 1, 4},
		{"POST", "/api/v1/retry", `{"all":true,"spread":"soon"}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/retry", `{"state":"lost"}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/retry", `{}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/delete", `{}`, 400, "detail", 0, 4},
		{"POST", "/api/v1/delete", `{"reason":"expired"}`, 200, "deleted", 1, 3},
		{"DELETE", "/api/v1/deliveries/d3", "", 200, "deleted", 1, 3},
		{"DELETE", "/api/v1/deliveries/d4", "", 409, "detail", 0, 4},
		{"DELETE", "/api/v1/deliveries/no", "", 404, "detail", 0, 4},
	} {
		q := testQueue(t)
		srv := newTestServer(t, q, nil)
		status, v := ask(t, srv, c.method, c.path, c.body)
		n, _ := v[c.key].(float64)
		if status != c.status || v[c.key] == nil || n != c.n || len(q.infos) != c.left {
			t.Errorf("%s %s %s: %d %v, %d left", c.method, c.path, c.body, status, v, len(q.infos))
		}
	}
}

// A pause's reason is one short line, whoever gives it.
func TestPauseReasonIsBounded(t *testing.T) {
	q := testQueue(t)
	srv := newTestServer(t, q, nil)
	long := strings.Repeat("ä", 5000)
	if status, v := ask(t, srv, "POST", "/api/v1/endpoints/app/pause", `{"why":"a\nb`+long+`"}`); status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	if why := q.states["app"].Why; len(why) > 200 || !strings.HasPrefix(why, "a bää") {
		t.Errorf("%d octets are kept: %.20s", len(why), why)
	}
	v := visit(t, srv)
	v.signIn()
	v.post("/endpoints/crm", "do", "pause", "why", long)
	if why := q.states["crm"].Why; len(why) > 200 || why == "" {
		t.Errorf("the page keeps %d octets", len(why))
	}
}

func TestEndpointsPauseResume(t *testing.T) {
	q := testQueue(t)
	breakers := retry.NewBreakers(nil, nil)
	for range 5 {
		done, _ := breakers.Begin("crm")
		done(retry.Unhealthy)
	}
	srv := newTestServer(t, q, func(_ *Config, d *Deps) { d.Breakers = breakers })
	if status, v := ask(t, srv, "POST", "/api/v1/endpoints/app/pause", `{"for":"2h","why":"deploy"}`); status != 200 {
		t.Fatalf("pause: %d %v", status, v)
	}
	_, v := ask(t, srv, "GET", "/api/v1/endpoints", "")
	var got []string
	for _, e := range v["endpoints"].([]any) {
		m := e.(map[string]any)
		got = append(got, m["name"].(string)+" "+m["breaker"].(string))
		switch m["name"] {
		case "app":
			if m["paused"] != true || m["why"] != "deploy" || m["paused_until"] == nil || m["waiting"].(map[string]any)["due"] != 1.0 {
				t.Errorf("app: %v", m)
			}
		case "crm":
			if m["next_probe"] == nil || m["waiting"].(map[string]any)["dead"] != 2.0 {
				t.Errorf("crm: %v", m)
			}
		case "old":
			if m["configured"] != false {
				t.Errorf("old: %v", m)
			}
		}
	}
	if strings.Join(got, ", ") != "app closed, crm open, old closed" {
		t.Errorf("endpoints: %v", got)
	}
	if status, _ := ask(t, srv, "POST", "/api/v1/endpoints/app/resume", ""); status != 200 || q.states["app"].Paused {
		t.Errorf("resume: %d", status)
	}
	if _, v := ask(t, srv, "POST", "/api/v1/endpoints/crm/resume", ""); v["breaker"] != "half-open" {
		t.Errorf("resume of an open breaker says %v", v)
	}
	for path, body := range map[string]string{"/api/v1/endpoints/nowhere/pause": "", "/api/v1/endpoints/nowhere/resume": ""} {
		if status, _ := ask(t, srv, "POST", path, body); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := ask(t, srv, "POST", "/api/v1/endpoints/app/pause", `{"for":"soon"}`); status != 400 {
		t.Errorf("a duration that is none: %d", status)
	}
	if status, _ := ask(t, srv, "POST", "/api/v1/endpoints/old/pause", ""); status != 200 {
		t.Errorf("an endpoint that only the queue knows: %d", status)
	}
}

func TestStatsAndTrouble(t *testing.T) {
	q := testQueue(t)
	srv := newTestServer(t, q, nil)
	_, v := ask(t, srv, "GET", "/api/v1/stats", "")
	if v["messages"] != 4.0 || v["oldest_due"] != "2026-01-02T03:04:05Z" || v["dead_by_reason"].(map[string]any)["expired"] != 1.0 {
		t.Errorf("stats: %v", v)
	}
	q.broken = retry.ErrUnhealthy
	for _, path := range []string{"/api/v1/stats", "/api/v1/deliveries", "/api/v1/endpoints"} {
		if status, v := ask(t, srv, "GET", path, ""); status != 503 || v["detail"] == nil {
			t.Errorf("%s of a store that can't write: %d %v", path, status, v)
		}
	}
	off := newTestServer(t, nil, nil)
	if status, _ := ask(t, off, "GET", "/api/v1/deliveries", ""); status != 404 {
		t.Errorf("without a queue: %d", status)
	}
	for _, path := range []string{"/api/v1/endpoints", "/api/v1/status", "/api/v1/messages"} {
		if status, _ := ask(t, off, "GET", path, ""); status != 200 {
			t.Errorf("%s without a queue: %d", path, status)
		}
	}
}

// testHistory holds a mail that was taken, one that was refused and one that is
// a dead letter.
func testHistory(t *testing.T) *history.Ring {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ring := history.NewRing(100, 1<<20, time.Now)
	attempt := history.Attempt{Delivery: "d1", Endpoint: "app", To: []string{"a@example.com"}, At: at, N: 1, Status: 503, Reason: "unavailable", Answer: "<b>later</b>"}
	err := ring.Write(t.Context(), history.Batch{Records: []history.Record{
		{ID: "m1", At: at, From: "s@example.org", To: []history.Recipient{{Address: "a@example.com"}}, Subject: "x", Result: history.Accepted, Reply: "250 2.0.0 Taken as m1",
			Waiting: 1, Attempts: []history.Attempt{attempt}},
		{ID: "m2", At: at.Add(time.Minute), From: "s@example.org", To: []history.Recipient{{Address: "b@example.com"}}, Subject: "<script>alert(1)</script>", Result: history.Accepted, Reply: "250 2.0.0 Taken as m2", Dead: 1},
		{ID: "r1", At: at.Add(2 * time.Minute), Client: history.Client{IP: "192.0.2.9"}, From: "x@example.org", To: []history.Recipient{{Address: "nobody@example.com", Reply: "550 5.1.1 No such recipient here"}}, Result: history.Refused, Reply: "550 5.1.1 No such recipient here"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestMessages(t *testing.T) {
	srv := newTestServer(t, testQueue(t), nil)
	for query, want := range map[string]string{
		"": "r1 m2 m1", "?q=nobody@example.com": "r1", "?address=s@": "m2 m1", "?state=failed": "r1", "?state=waiting": "m1", "?state=dead": "m2",
		"?since=2026-01-02T03:05:30Z": "r1", "?until=2026-01-02T03:05:00Z": "m1", "?limit=1": "r1 next", "?q=none": "",
	} {
		status, v := ask(t, srv, "GET", "/api/v1/messages"+query, "")
		var got []string
		for _, m := range v["messages"].([]any) {
			got = append(got, m.(map[string]any)["id"].(string))
		}
		if v["next"] != nil {
			got = append(got, "next")
		}
		if status != 200 || strings.Join(got, " ") != want {
			t.Errorf("%s: %d %v, want %q", query, status, got, want)
		}
	}
	status, v := ask(t, srv, "GET", "/api/v1/messages/m1", "")
	if attempts := v["attempts"].([]any); status != 200 || v["reply"] != "250 2.0.0 Taken as m1" || len(attempts) != 1 || attempts[0].(map[string]any)["answer"] != "<b>later</b>" {
		t.Errorf("the story: %d %v", status, v)
	}
	for path, want := range map[string]int{
		"/api/v1/messages/m": 409, "/api/v1/messages/none": 404, "/api/v1/messages?state=lost": 400, "/api/v1/messages?limit=0": 400,
		"/api/v1/messages?since=yesterday": 400, "/api/v1/messages?after=x": 400, "/api/v1/messages?who=me": 400, "/api/v1/deliveries?messageid=m1": 400,
	} {
		if status, v := ask(t, srv, "GET", path, ""); status != want || v["detail"] == nil || v["status"] != float64(want) {
			t.Errorf("%s: %d %v", path, status, v)
		}
	}
}

func TestAPIMethods(t *testing.T) {
	srv := newTestServer(t, testQueue(t), nil)
	for request, allow := range map[string]string{"PUT /api/v1/status": "GET, HEAD", "POST /api/v1/deliveries/d1": "GET, HEAD, DELETE", "GET /api/v1/replay": "POST"} {
		method, path, _ := strings.Cut(request, " ")
		req, _ := http.NewRequest(method, srv.URL+path, nil)
		req.Header.Set("Authorization", "Bearer "+testToken)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != allow || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, Allow %q", request, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s, err := New(Config{Grace: 5 * time.Second}, Deps{Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error {
		close(began)
		<-release
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	status := make(chan int, 1)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	go func() {
		resp, err := client.Get("http://" + ln.Addr().String() + "/readyz")
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-began
	cancel()
	close(release)
	if got := <-status; got != 200 {
		t.Errorf("the request under way got %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, d := range []Deps{{}, {Ready: alwaysReady}, {Gatherer: prometheus.NewRegistry()}} {
		if _, err := New(Config{}, d); err == nil {
			t.Errorf("New took %+v", d)
		}
	}
}
