package ops

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"postern/gateway/history"
	"postern/webhook"
)

// visitor is a browser without JavaScript.
type visitor struct {
	t   *testing.T
	srv *httptest.Server
	*http.Client
}

func visit(t *testing.T, srv *httptest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, srv, &http.Client{Jar: jar}}
}

// get follows redirects, as a browser does.
func (v *visitor) get(path string) (*http.Response, string) {
	v.t.Helper()
	resp, err := v.Get(v.srv.URL + path)
	return v.read(resp, err)
}

// post sends a form as a browser on our own page does.
func (v *visitor) post(path string, fields ...string) (*http.Response, string) {
	v.t.Helper()
	return v.postFrom(v.srv.URL, path, fields...)
}

func (v *visitor) postFrom(origin, path string, fields ...string) (*http.Response, string) {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, v.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", origin)
	resp, err := v.Do(req)
	return v.read(resp, err)
}

func (v *visitor) read(resp *http.Response, err error) (*http.Response, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(b)
}

func (v *visitor) signIn() {
	v.t.Helper()
	if resp, page := v.post("/signin", "token", testToken, "next", "/"); resp.StatusCode != 200 || !strings.Contains(page, "<h1><bdi>Overview</bdi></h1>") {
		v.t.Fatalf("signing in: %d %s", resp.StatusCode, page)
	}
}

// The page must load nothing from elsewhere and hold nothing inline, since its
// policy forbids both.
func TestPageLoadsNothingElse(t *testing.T) {
	v := visit(t, newTestServer(t, testQueue(t), nil))
	v.signIn()
	for _, path := range []string{"/", "/messages", "/messages/m1", "/messages/m2", "/queue", "/endpoints", "/signin"} {
		resp, page := v.get(path)
		if resp.StatusCode != 200 || !strings.Contains(page, "1.2.3") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("policy of %s: %s", path, csp)
		}
		for _, bad := range []string{`="//`, "http://", "style=", "onclick=", "<script>", "<style>", testToken} {
			if strings.Contains(strings.ReplaceAll(page, "https://app.example.com/…", ""), bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	_, script := v.get("/assets/page.js")
	for _, bad := range []string{"innerHTML", "eval(", "http:", "https:", "localStorage", "sessionStorage"} {
		if strings.Contains(script, bad) {
			t.Errorf("the script has %s", bad)
		}
	}
	if resp, css := v.get("/assets/page.css"); resp.StatusCode != 200 || strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error("the style is missing or loads something")
	}
	if resp, _ := v.get("/assets/"); resp.StatusCode != 404 {
		t.Errorf("the folder's list: %d", resp.StatusCode)
	}
}

func TestPageSession(t *testing.T) {
	srv := newTestServer(t, testQueue(t), nil)
	v := visit(t, srv)
	if resp, page := v.get("/queue?state=dead"); resp.Request.URL.Path != "/signin" || !strings.Contains(page, `value="/queue?state=dead"`) {
		t.Errorf("without a session: %s", resp.Request.URL)
	}
	if resp, page := v.post("/signin", "token", "not it"); resp.StatusCode != 403 || !strings.Contains(page, "The token is wrong.") || len(resp.Cookies()) > 0 {
		t.Errorf("a wrong token: %d", resp.StatusCode)
	}
	if resp, _ := v.postFrom("https://evil.example", "/signin", "token", testToken); resp.StatusCode != 403 {
		t.Errorf("signing in from elsewhere: %d", resp.StatusCode)
	}
	if resp, _ := v.post("/signin", "token", testToken, "next", "//evil.example/"); resp.Request.URL.Host != strings.TrimPrefix(srv.URL, "http://") || resp.Request.URL.Path != "/" {
		t.Errorf("went on to %s", resp.Request.URL)
	}
	u, _ := url.Parse(srv.URL)
	cookies := v.Jar.Cookies(u)
	if len(cookies) != 1 || strings.Contains(cookies[0].Value, testToken) {
		t.Fatalf("cookies: %v", cookies)
	}
	if resp, _ := v.postFrom("https://evil.example", "/queue", "do", "delete", "id", "d2", "sure", "yes"); resp.StatusCode != 403 {
		t.Errorf("a form from elsewhere: %d", resp.StatusCode)
	}
	if resp, _ := get(t, srv, "/api/v1/status", "Cookie", cookies[0].String()); resp.StatusCode != 401 {
		t.Errorf("the API takes a session: %d", resp.StatusCode)
	}
	for _, forged := range []string{"", "x", "99999999999.", cookies[0].Value + "x", "99999999999" + cookies[0].Value[strings.IndexByte(cookies[0].Value, '.'):]} {
		v.Jar.SetCookies(u, []*http.Cookie{{Name: cookies[0].Name, Value: forged, Path: "/"}})
		if resp, _ := v.get("/"); resp.Request.URL.Path != "/signin" {
			t.Errorf("a session %q is taken", forged)
		}
	}
	v.signIn()
	if resp, _ := v.post("/signout"); resp.Request.URL.Path != "/signin" || len(v.Jar.Cookies(u)) != 0 {
		t.Errorf("signed out: %s, %v", resp.Request.URL, v.Jar.Cookies(u))
	}
}

// A session ends by itself, and with its token.
func TestPageSessionEnds(t *testing.T) {
	now, token := time.Now(), webhook.Secret(testToken)
	srv := newTestServer(t, nil, func(c *Config, d *Deps) {
		c.Token = func() webhook.Secret { return token }
		d.Now = func() time.Time { return now }
	})
	v := visit(t, srv)
	v.signIn()
	now = now.Add(13 * time.Hour)
	if resp, _ := v.get("/"); resp.Request.URL.Path != "/signin" {
		t.Error("a session of 13 hours goes on")
	}
	v.signIn()
	token = "another one"
	if resp, _ := v.get("/"); resp.Request.URL.Path != "/signin" {
		t.Error("a session outlives its token")
	}
}

// Every view reads without JavaScript, and what strangers wrote is text.
func TestPageViews(t *testing.T) {
	v := visit(t, newTestServer(t, testQueue(t), nil))
	v.signIn()
	for path, want := range map[string][]string{
		"/":                          {"Taking mail", "dead letters", "550 5.1.1 No such recipient here", "working"},
		"/messages?q=nobody":         {"550 5.1.1 No such recipient here", "nobody@example.com", "refused"},
		"/messages?q=zzz":            {"No message fits."},
		"/messages?state=lost":       {"State &#34;lost&#34; is none of"},
		"/messages/m1":               {"Taken as m1", "HTTP 503", "&lt;b&gt;later&lt;/b&gt;", "body", "Retry now", "Save as it was received"},
		"/messages/m2":               {"&lt;script&gt;alert(1)&lt;/script&gt;", "Replay"},
		"/messages/r1":               {"refused", "192.0.2.9", "isn't stored"},
		"/messages/none":             {"Nothing is known of this message"},
		"/messages/m":                {"several messages begin"},
		"/queue":                     {"a@example.com", "waiting", "dead letter", "Retry now", "Delete …"},
		"/queue?state=dead":          {"rejected", "Replay dead letters …"},
		"/queue?state=dead&reason=x": {"Nothing waits here."},
		"/queue?state=lost":          {"none that a delivery has"},
		"/queue?since=soon":          {"Since is a time such as 1h"},
		"/queue?since=1h":            {"Nothing waits here."},
		"/messages/m1/source":        {"Subject: x"},
		"/endpoints":                 {"https://app.example.com/…", "not configured", "Pause because"},
		"/queue?done=retried&n=1":    {"1 delivery made due now."},
		"/queue?done=deleted&n=312":  {"312 deliveries deleted."},
		"/endpoints?done=%3Cb%3E":    {"<h1><bdi>Endpoints</bdi></h1>"},
	} {
		_, page := v.get(path)
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
	}
	resp, html := v.get("/messages/m1/html")
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox; default-src 'none'") || resp.StatusCode != 200 {
		t.Errorf("the frame: %d %s %s", resp.StatusCode, csp, html)
	}
	if resp, raw := v.get("/messages/m1/raw"); !strings.HasPrefix(raw, "Received: from there") || resp.Header.Get("Content-Disposition") != `attachment; filename="m1.eml"` {
		t.Errorf("raw: %v %q", resp.Header, raw)
	}
}

// What changes something is asked first, with a count, where it is about many.
func TestPageActs(t *testing.T) {
	q := testQueue(t)
	v := visit(t, newTestServer(t, q, nil))
	v.signIn()
	if _, page := v.post("/queue", "do", "replay", "state", "dead", "back", "/queue"); !strings.Contains(page, "2 deliveries will live again.") || !strings.Contains(page, `name="sure" value="yes"`) {
		t.Error("replaying many isn't asked first")
	}
	resp, page := v.post("/queue", "do", "replay", "state", "dead", "back", "/queue?state=dead", "sure", "yes")
	if resp.Request.URL.RawQuery != "done=replayed&n=2&state=dead" || !strings.Contains(page, "2 deliveries live again and are due now.") {
		t.Errorf("replayed: %s", resp.Request.URL)
	}
	if _, page := v.post("/queue", "do", "delete", "id", "d2", "back", "/queue"); !strings.Contains(page, "1 delivery will be deleted.") || len(q.infos) != 4 {
		t.Error("deleting isn't asked first")
	}
	if resp, _ := v.post("/queue", "do", "delete", "id", "d2", "back", "/queue", "sure", "yes"); resp.Request.URL.RawQuery != "done=deleted&n=1" || len(q.infos) != 3 {
		t.Errorf("deleted: %s, %d left", resp.Request.URL, len(q.infos))
	}
	if resp, _ := v.post("/queue", "do", "retry", "id", "d1", "sure", "yes", "back", "/messages/m1"); resp.Request.URL.Path != "/messages/m1" || resp.Request.URL.RawQuery != "done=retried&n=1" {
		t.Errorf("retried: %s", resp.Request.URL)
	}
	for _, bad := range [][]string{{"do", "explode", "id", "d1"}, {"do", "retry", "state", "dead"}, {"do", "delete", "sure", "yes"}, {"do", "retry", "state", "lost"}} {
		if resp, _ := v.post("/queue", bad...); resp.StatusCode != 400 {
			t.Errorf("%v: %d", bad, resp.StatusCode)
		}
	}
	if resp, page := v.post("/endpoints/app", "do", "pause", "why", "a deploy\r\nX: y", "for", "2h"); resp.Request.URL.RawQuery != "done=paused" || !strings.Contains(page, "a deploy  X: y") || !strings.Contains(page, "Resume") {
		t.Errorf("paused: %s", resp.Request.URL)
	}
	if resp, _ := v.post("/endpoints/app", "do", "resume"); resp.Request.URL.RawQuery != "done=resumed" {
		t.Errorf("resumed: %s", resp.Request.URL)
	}
	for path, status := range map[string]int{"/endpoints/nobody?": 404, "/endpoints/app": 400} {
		if resp, _ := v.post(strings.TrimSuffix(path, "?"), "do", "pause", "for", "soon"); resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// browser is a headless Chromium's tab, or a skipped test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("TOOLS") == "required" {
			t.Fatal("chromium is missing: install Debian's package chromium")
		}
		t.Skip("there is no chromium to open the page in")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// A person signs in, finds a mail, replays in bulk, pauses an endpoint, and an
// open view follows what happens.
func TestPageInABrowser(t *testing.T) {
	tab := browser(t)
	q := testQueue(t)
	deps := Deps{}
	srv := newTestServer(t, q, func(_ *Config, d *Deps) { deps = *d })
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	text := func(selector string) string {
		t.Helper()
		s, err := chromedp.Run(tab, chromedp.Text(selector))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	do(chromedp.Navigate(srv.URL+"/messages?q=a@example.com"), chromedp.WaitVisible("#token"),
		chromedp.SendKeys("#token", "not it\n"), chromedp.WaitVisible(".notice.bad"), chromedp.WaitVisible("#token"))
	if got := text(".notice.bad"); got != "The token is wrong." {
		t.Errorf("a wrong token says %q", got)
	}
	do(chromedp.SendKeys("#token", testToken+"\n"), chromedp.WaitVisible("#records"), chromedp.WaitNotPresent("#token"))
	if got := text("#records"); !strings.Contains(got, "a@example.com") || strings.Contains(got, "nobody@") {
		t.Errorf("found %q", got)
	}
	do(chromedp.Click("#records a"), chromedp.WaitVisible("#journey"), chromedp.WaitVisible("pre.text"))
	do(chromedp.Navigate(srv.URL+"/queue?state=dead"), chromedp.Click("button[value=replay]"), chromedp.WaitVisible(".lead"),
		chromedp.Click("main button[value=replay]"), chromedp.WaitVisible("p.notice"))
	if got := text("p.notice"); got != "2 deliveries live again and are due now." {
		t.Errorf("replayed: %q", got)
	}
	do(chromedp.Navigate(srv.URL+"/endpoints"), chromedp.SendKeys("input[name=why]", "a deploy\n"), chromedp.WaitVisible("p.notice"))
	if got := text("#state-app"); !strings.Contains(got, "paused: a deploy") {
		t.Errorf("paused: %q", got)
	}
	do(chromedp.Navigate(srv.URL + "/"))
	ring := deps.History.(*history.Ring)
	late := history.Record{ID: "z9", At: time.Now(), From: "late@example.org", Result: "accepted", Reply: "250 2.0.0 Taken as z9"}
	if err := ring.Write(t.Context(), history.Batch{Records: []history.Record{late}}); err != nil {
		t.Fatal(err)
	}
	deps.Live.Transaction(late)
	do(chromedp.WaitVisible(`a[href="/messages/z9"]`))
}
