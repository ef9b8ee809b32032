package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"postern/retry/s3/s3test"
)

// A large mail that must wait lies in the object store. While that is away it
// stays with its sender; small mail and healthy webhooks go on.
func TestBodyStore(t *testing.T) {
	server := s3test.Start(t)
	if err := server.Bucket("mail"); err != nil {
		t.Fatal(err)
	}
	var down atomic.Bool
	var taken atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken.Add(1)
	}))
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL, "POSTERN_RETRY_STORE=sqlite://"+t.TempDir(), "POSTERN_BODY_STORE=s3://mail/postern",
		"POSTERN_RETRY_FIRST=100ms", "POSTERN_RETRY_MAX_DELAY=200ms")
	large := "Subject: large\r\n\r\n" + strings.Repeat("a line of a large mail\r\n", 10_000)
	small := "Subject: small\r\n\r\nbody\r\n"
	count := func() int {
		names, err := server.Objects("mail")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, name := range names {
			if !strings.HasSuffix(name, "/postern") && !strings.HasSuffix(name, "/epoch") { // the folder's own
				n++
			}
		}
		return n
	}
	if err := sendPlain(a, large); err != nil || count() != 0 {
		t.Fatalf("a healthy webhook needs no object: %v, %d objects", err, count())
	}
	down.Store(true)
	if err := sendPlain(a, large); err != nil || count() != 1 {
		t.Fatalf("a large mail that waits: %v, %d objects", err, count())
	}
	server.Kill()
	if err := sendPlain(a, large); err == nil || !strings.HasPrefix(err.Error(), "451") {
		t.Errorf("a large mail while the object store is away: %v", err)
	}
	if err := sendPlain(a, small); err != nil {
		t.Errorf("a small one: %v", err)
	}
	if err := a.ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := a.degraded(t.Context()); err == nil || !strings.Contains(err.Error(), "store of bodies") {
		t.Errorf("degraded says %v", err)
	}
	down.Store(false)
	if err := sendPlain(a, large); err != nil {
		t.Errorf("a large mail that a healthy webhook takes: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		s, err := a.queue.Stats(t.Context())
		if err == nil && (s.Messages != 0 || taken.Load() != 4) {
			err = http.ErrNotSupported
		}
		return err
	})
	if err := a.degraded(t.Context()); err != nil {
		t.Errorf("still degraded: %v", err)
	}
}
