package call

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/webhook"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func client(t *testing.T, c Config, d Deps) *Client {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = 100
	}
	made, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

func TestPost(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if err := webhook.Verify(testSecret, h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature"), body, at, time.Second); err != nil || h.Get("webhook-id") != "q_1" {
			t.Errorf("the signature: %v, %v", err, h)
		}
		if user, password, _ := r.BasicAuth(); user != "ops" || password != "pass" || r.Method != http.MethodPost {
			t.Errorf("%s by %s:%s", r.Method, user, password)
		}
		if h.Get("Content-Type") != "application/json" || h.Get("User-Agent") != "Postern/7" || h.Get("X-Idempotency-Key") != "" || string(body) != `{"ask":"<&>"}` && string(body) != `{"ask":"\u003c\u0026\u003e"}` {
			t.Errorf("%s with %v", body, h)
		}
		w.Header().Set("Location", "mailto:a@b.example")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	c := client(t, Config{URL: strings.Replace(srv.URL, "//", "//ops:pass@", 1), Secret: webhook.Fixed(testSecret)},
		Deps{UserAgent: "Postern/7", Now: func() time.Time { return at }})
	a, err := c.Post(t.Context(), "q_1", map[string]string{"ask": "<&>"})
	if err != nil || a.Status != http.StatusNotFound || string(a.Body) != `{"ok":true}` || a.Header.Get("Location") != "mailto:a@b.example" {
		t.Errorf("%+v, %v", a, err)
	}
}

// Whatever the service does, the caller has an answer or the reason why not.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		serve  http.HandlerFunc
		status int
		body   string
		err    error
	}{
		"redirects stay unfollowed": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 302, "", nil},
		"the body is capped":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) }, 200, strings.Repeat("x", 100), nil},
		"a cut body keeps its status": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50")
			_, _ = io.WriteString(w, "cut")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 200, "cut", nil},
		"no answer":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "", io.EOF},
		"silence":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, "", ErrTimeout},
		"a body without end":  {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }, 0, "", ErrTimeout},
		"an empty answer":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, "", nil},
		"a fault is answered": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, 502, "no\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // so that the client's going shows in the context
				c.serve(w, r)
			})
			srv.Config.ErrorLog = nil
			a, err := client(t, Config{URL: srv.URL, Timeout: 300 * time.Millisecond}, Deps{}).Post(t.Context(), "id", 1)
			if a.Status != c.status || !strings.HasPrefix(string(a.Body), c.body) || len(a.Body) > 100 || !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Errorf("%d %q, %v", a.Status, a.Body, err)
			}
		})
	}
}

// A service that closes kept connections is asked once more, unseen.
func TestKeptConnectionThatClosed(t *testing.T) {
	var asked atomic.Int64
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var n int
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || n != 7 {
			t.Errorf("the question came as %d, %v", n, err)
		}
	})
	c := client(t, Config{URL: srv.URL}, Deps{})
	for i := range 20 {
		if a, err := c.Post(t.Context(), "id", 7); err != nil || a.Status != 200 {
			t.Fatalf("call %d: %+v, %v", i, a, err)
		}
		srv.CloseClientConnections()
	}
	if asked.Load() != 20 {
		t.Errorf("%d questions for 20 calls", asked.Load())
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	const secret = "topsecret"
	c := client(t, Config{URL: "http://u:" + secret + "@127.0.0.1:1/" + secret + "?key=" + secret}, Deps{})
	if _, err := c.Get(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
	for _, bad := range []string{"", "ftp://u:" + secret + "@h/", "http://", "http://u:" + secret + "@h:port/", "mail.example:80/" + secret} {
		if _, err := New(Config{URL: bad}, Deps{}); !errors.Is(err, ErrURL) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c = client(t, Config{URL: "http://127.0.0.1:1/", Secret: webhook.Fixed(secret)}, Deps{})
	if _, err := c.Post(t.Context(), "id", 1); !errors.Is(err, ErrSecret) || strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
	if _, err := c.Post(t.Context(), "id", make(chan int)); err == nil {
		t.Error("a question that is no JSON was sent")
	}
}

func TestCallersContextAndProxy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client hung up")
	cancel(gone)
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "http://directory.invalid/x" {
			t.Errorf("the proxy was asked for %s", r.URL)
		}
	})
	c := client(t, Config{URL: "http://directory.invalid/x"}, Deps{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(srv.URL) }})
	if a, err := c.Get(t.Context()); err != nil || a.Status != 200 {
		t.Errorf("through the proxy: %+v, %v", a, err)
	}
	if _, err := c.Get(ctx); !errors.Is(err, gone) {
		t.Errorf("%v, want the cause", err)
	}
}
