package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// hook is a webhook that reads what it is sent and answers after a while: at
// /slow after delay, elsewhere at once.
type hook struct {
	url   string
	delay atomic.Int64 // time.Duration
	fast  atomic.Int64 // mails taken
	slow  atomic.Int64
	srv   *http.Server
}

func newHook() (*hook, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hook{url: "http://" + l.Addr().String()}
	h.srv = &http.Server{Handler: h}
	go h.srv.Serve(l)
	return h, nil
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if r.URL.Path != "/slow" {
		h.fast.Add(1)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	select {
	case <-time.After(time.Duration(h.delay.Load())):
	case <-r.Context().Done():
		return
	}
	h.slow.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

// env points a gateway's endpoints at the webhook: *@slow.test at /slow.
func (h *hook) env() []string {
	return []string{"POSTERN_WEBHOOK_URL=" + h.url + "/fast", "POSTERN_WEBHOOK_0_URL=" + h.url + "/slow", "POSTERN_WEBHOOK_0_MATCH=*@slow.test",
		"POSTERN_WEBHOOK_0_TIMEOUT=25s"}
}

func (h *hook) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if h.srv.Shutdown(ctx) != nil {
		h.srv.Close()
	}
}
