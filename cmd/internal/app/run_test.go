package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"postern/cmd/internal/config"
	"postern/gateway/history"
)

// TestLastAttempt has a webhook take mail in the grace of a shutdown, when nothing
// else is left to do: the history knows of it, and it is kept.
func TestLastAttempt(t *testing.T) {
	var n atomic.Int64
	asked, answer := make(chan string, 1), make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		asked <- r.Header.Get("Postern-Message-Id")
		<-answer
	}))
	t.Cleanup(hook.Close)
	cfg, err := config.Load([]string{"POSTERN_DOMAIN=mx.example.com", "POSTERN_SMTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_ADDR=127.0.0.1:0", "POSTERN_LOG_LEVEL=error", "POSTERN_WEBHOOK_URL=" + hook.URL,
		"POSTERN_RETRY_STORE=sqlite://" + t.TempDir(), "POSTERN_RETRY_FIRST=1ms", "POSTERN_KEEP=1h", "POSTERN_AUTHENTICATE=false"})
	if err != nil {
		t.Fatal(err)
	}
	log, flush := cfg.Process.Logger(t.Output())
	t.Cleanup(flush)
	a, err := New(t.Context(), cfg, Deps{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx, shutDown := context.WithCancel(t.Context())
	defer shutDown()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	if err := sendPlain(a, "Message-ID: <1@device.example>\r\n\r\nThe door is open.\r\n"); err != nil {
		t.Fatal(err)
	}
	id := <-asked
	shutDown()
	eventually(t, func() error { // until the probes end, and what ended with them
		c, err := net.Dial("tcp", a.Addr("HTTP_ADDR"))
		if err != nil {
			return nil
		}
		return errors.Join(errors.New("the probes still answer"), c.Close())
	})
	close(answer)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r, err := a.history.Get(t.Context(), id)
	if err != nil || r.Waiting != 0 || r.Became() != "delivered" || len(r.Attempts) != 2 || r.Attempts[1].Settles != history.SettledDone {
		t.Errorf("the history has %+v, %v", r, err)
	}
	if a.keeper.Kept() != 1 || a.keeper.Dropped() != 0 {
		t.Errorf("%d mails are kept and %d dropped, want 1 and 0", a.keeper.Kept(), a.keeper.Dropped())
	}
}
