package ops

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What no store can look for is nothing that is there, or no request, and never a
// fault of the store.
func TestNoText(t *testing.T) {
	srv := newTestServer(t, testQueue(t), nil)
	for _, row := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/v1/messages/%00", "", 404}, {"GET", "/api/v1/messages/%ff", "", 404}, {"GET", "/api/v1/messages/m1%00/raw", "", 404},
		{"GET", "/api/v1/deliveries/d1%00", "", 404}, {"DELETE", "/api/v1/deliveries/%ff", "", 404}, {"POST", "/api/v1/endpoints/%00/pause", "{}", 404},
		{"GET", "/api/v1/deliveries?recipient=%00", "", 400}, {"GET", "/api/v1/deliveries?id=%ff", "", 400}, {"GET", "/api/v1/deliveries?after=%00", "", 400},
		{"POST", "/api/v1/replay", `{"endpoint":"a\u0000"}`, 400}, {"POST", "/api/v1/delete", `{"ids":["d1","\u0000"]}`, 400}, {"POST", "/api/v1/retry", `{"recipient":"\u0000"}`, 400},
	} {
		if status, v := ask(t, srv, row.method, row.path, row.body); status != row.want || v["detail"] == "" {
			t.Errorf("%s %s %s: %d %v, want %d", row.method, row.path, row.body, status, v, row.want)
		}
	}
	v := visit(t, srv)
	v.signIn()
	for _, path := range []string{"/messages/%00", "/messages/%ff/raw", "/queue?recipient=%00", "/queue?after=%ff", "/messages/m1/request?delivery=%00"} {
		if resp, body := v.get(path); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "Nothing is called so") {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp, _ := v.post("/queue", "do", "delete", "recipient", "\x00"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form with a NUL: %d", resp.StatusCode)
	}
}

// Who guesses the token is named in the log, and doesn't fill it.
func TestStrangers(t *testing.T) {
	var log strings.Builder
	at := time.Now()
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) {
		d.Logger, d.Now = slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return at }
	})
	try := func(header string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/api/v1/status", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		if srv.Config.Handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%q is answered %d", header, w.Code)
		}
	}
	try("")
	if log.String() != "" {
		t.Errorf("who doesn't guess is told of: %s", log.String())
	}
	for range 1000 {
		try("Bearer guess")
	}
	at = at.Add(time.Second)
	try("Bearer guess")
	if got := log.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "client=192.0.2.1") != 2 || !strings.Contains(got, "count=1000") || strings.Contains(got, "guess") {
		t.Errorf("the log has %s", got)
	}
}
