package app

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/gateway/again"
	"postern/gateway/history"
	"postern/gateway/kept"
	"postern/retry/postgres/pgtest"
)

// hook is a webhook that notes what it gets.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	first  int // the status of the first answer; then it is 200
	got    []http.Header
	bodies []string
}

func newHook(t *testing.T, first int) *hook {
	h := &hook{first: first}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.got) == 0 {
			w.WriteHeader(h.first)
		}
		h.got, h.bodies = append(h.got, r.Header), append(h.bodies, string(body))
	}))
	t.Cleanup(h.Close)
	return h
}

// wait returns the n-th request once it is there.
func (h *hook) wait(t *testing.T, n int) (http.Header, string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		if len(h.got) > n {
			defer h.mu.Unlock()
			return h.got[n], h.bodies[n]
		}
		h.mu.Unlock()
	}
	t.Fatalf("the webhook was never asked a time %d", n+1)
	return nil, ""
}

// keeps waits until so many messages are kept.
func keeps(t *testing.T, a *App, n int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); a.keeper.Kept() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d messages are kept, %d dropped; want %d", a.keeper.Kept(), a.keeper.Dropped(), n)
		}
	}
}

// What a webhook took can be sent again, whether it was taken at once or out of
// the queue, and whatever its size; without POSTERN_KEEP nothing is left.
func TestSendAgain(t *testing.T) {
	var servers pgtest.Shared
	t.Cleanup(servers.Stop)
	folder := func(t *testing.T) string { return "sqlite://" + t.TempDir() }
	database := func(t *testing.T) string { return servers.Database(t) }
	for name, c := range map[string]struct {
		size  int
		first int // the webhook's answer while the sender waits
		store func(*testing.T) string
	}{"small": {100, 200, folder}, "large": {2 << 20, 200, folder}, "queued": {100, 503, folder}, "large and queued": {2 << 20, 503, folder},
		"large and queued in PostgreSQL": {2 << 20, 503, database}} {
		t.Run(name, func(t *testing.T) {
			h := newHook(t, c.first)
			a := start(t, "POSTERN_WEBHOOK_URL="+h.URL, "POSTERN_WEBHOOK_0_URL="+h.URL+"/other", "POSTERN_WEBHOOK_0_NAME=other", "POSTERN_WEBHOOK_0_MATCH=x@y.example",
				"POSTERN_RETRY_STORE="+c.store(t), "POSTERN_KEEP=1h", "POSTERN_RETRY_FIRST=10ms", "POSTERN_AUTHENTICATE=false")
			if err := sendPlain(a, "Message-ID: <1@device.example>\r\nSubject: alarm\r\n\r\n"+strings.Repeat("The door is open.\r\n", c.size/19)); err != nil {
				t.Fatal(err)
			}
			first, body := h.wait(t, 0)
			asked := 1
			if c.first != 200 {
				h.wait(t, 1)
				asked++
			}
			keeps(t, a, 1)
			send := a.again
			id := first.Get("Postern-Message-Id")
			sent, err := send.Send(t.Context(), again.Request{Message: id, By: "me"})
			if err != nil || len(sent) != 1 || sent[0].Endpoint != "default" || sent[0].Recipients[0] != "b@example.com" {
				t.Fatalf("%+v, %v", sent, err)
			}
			second, same := h.wait(t, asked)
			if second.Get("Webhook-Id") == first.Get("Webhook-Id") || second.Get("Webhook-Id") != sent[0].ID || second.Get("Postern-Message-Id") != id || second.Get("Webhook-Attempt") != "1" {
				t.Errorf("first %v, again %v", first, second)
			}
			if strings.Replace(same, sent[0].ID, first.Get("Webhook-Id"), 1) != body && len(same) != len(body) {
				t.Errorf("%d octets, the first time %d", len(same), len(body))
			}
			keeps(t, a, 2) // what is sent again is kept from then on
			if _, err := send.Send(t.Context(), again.Request{Message: id, Endpoint: "other", SameID: true}); err != nil {
				t.Fatal(err)
			}
			if third, _ := h.wait(t, asked+1); third.Get("Webhook-Id") == first.Get("Webhook-Id") {
				t.Error("another endpoint's delivery has the same id")
			}
			story(t, a, id)
		})
	}
}

// story waits until the history knows that nothing waits, and that it was sent
// again.
func story(t *testing.T, a *App, id string) {
	t.Helper()
	var r history.Record
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		if r, err = a.history.Get(t.Context(), id); err != nil && !errors.Is(err, history.ErrNotFound) {
			t.Fatal(err)
		}
		again, done := 0, 0
		for _, at := range r.Attempts {
			if at.Settles == history.QueuedAgain {
				again++
			}
			if at.Settles == history.SettledDone {
				done++
			}
		}
		if again == 2 && done >= 2 && r.Waiting == 0 && r.Became() == "delivered" {
			return
		}
	}
	t.Errorf("the story ends as %+v", r)
}

func TestSendAgainRefuses(t *testing.T) {
	h := newHook(t, 503)
	a := start(t, "POSTERN_WEBHOOK_URL="+h.URL, "POSTERN_WEBHOOK_0_URL="+h.URL, "POSTERN_WEBHOOK_0_NAME=strict", "POSTERN_WEBHOOK_0_MATCH=x@y.example", "POSTERN_WEBHOOK_0_REQUIRE=verified",
		"POSTERN_DNS=127.0.0.1:1", "POSTERN_RETRY_STORE=sqlite://"+t.TempDir(), "POSTERN_RETRY_FIRST=1h")
	if err := sendPlain(a, "Message-ID: <1@device.example>\r\n\r\nx\r\n"); err != nil {
		t.Fatal(err)
	}
	first, _ := h.wait(t, 0)
	id := first.Get("Postern-Message-Id")
	for _, c := range []struct {
		r    again.Request
		want error
	}{
		{again.Request{Message: "0nothing"}, again.ErrNotFound},
		{again.Request{Message: id, Endpoint: "nowhere"}, again.ErrRequest},
		{again.Request{Message: id, Recipients: []string{"c@example.com"}}, again.ErrRequest},
		{again.Request{Message: id, Endpoint: "strict"}, again.ErrRequest},
		{again.Request{Message: id, SameID: true}, again.ErrWaits},
	} {
		if sent, err := a.again.Send(t.Context(), c.r); !errors.Is(err, c.want) || len(sent) > 0 {
			t.Errorf("%+v: %v, %v", c.r, sent, err)
		}
	}
	// The same request twice is one delivery.
	if _, err := a.again.Send(t.Context(), again.Request{Message: id, Once: "button"}); err != nil {
		t.Error(err)
	}
	if _, err := a.again.Send(t.Context(), again.Request{Message: id, Once: "button"}); err != nil && !errors.Is(err, again.ErrWaits) {
		t.Error(err)
	}
}

// Off costs nothing and leaves nothing.
func TestKeepOff(t *testing.T) {
	h := newHook(t, 200)
	dir := t.TempDir()
	a := start(t, "POSTERN_WEBHOOK_URL="+h.URL, "POSTERN_RETRY_STORE=sqlite://"+dir)
	if err := sendPlain(a, "Subject: x\r\n\r\nx\r\n"); err != nil {
		t.Fatal(err)
	}
	first, _ := h.wait(t, 0)
	if _, err := os.Stat(filepath.Join(dir, "kept")); !errors.Is(err, os.ErrNotExist) || a.keeper != nil {
		t.Errorf("%v", err)
	}
	if _, err := a.again.Send(t.Context(), again.Request{Message: first.Get("Postern-Message-Id")}); !errors.Is(err, again.ErrNotFound) {
		t.Error(err)
	}
}

// Kept mail is a person's: an address erases it, beside the running gateway.
func TestForgetKept(t *testing.T) {
	h := newHook(t, 200)
	a := start(t, "POSTERN_WEBHOOK_URL="+h.URL, "POSTERN_RETRY_STORE=sqlite://"+t.TempDir(), "POSTERN_KEEP=1h")
	if err := sendPlain(a, "From: Ann <ann@author.example>\r\nSubject: x\r\n\r\nx\r\n"); err != nil {
		t.Fatal(err)
	}
	keeps(t, a, 1)
	s, err := KeptBeside(t.Context(), a.cfg.Delivery)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Forget(t.Context(), "ANN@author.example"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	first, _ := h.wait(t, 0)
	if _, _, err := a.kept.OpenMessage(t.Context(), first.Get("Postern-Message-Id")); !errors.Is(err, kept.ErrNotFound) {
		t.Error(err)
	}
}
