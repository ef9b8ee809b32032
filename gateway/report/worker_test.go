package report

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook/call"
)

type rejects struct{}

// Deliver implements retry.Deliverer.
func (rejects) Deliver(_ context.Context, l retry.Lease) retry.Outcome {
	return retry.Outcome{Kind: retry.GiveUp, Reason: "rejected", Attempt: retry.Attempt{At: time.Now(), Status: 406, Reason: "rejected"}}
}

// From the worker's verdict to both reports.
func TestWorkerReports(t *testing.T) {
	failures := make(chan Failure, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var f Failure
		b, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(b, &f); err != nil {
			t.Error(err)
		}
		failures <- f
	}))
	defer srv.Close()
	server, q := startRelay(t, nil), openQueue(t)
	hook, err := NewWebhook(srv.URL, nil, call.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewRelay("smtp://"+server.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Domain: "mx.example.com"}, Deps{Webhook: hook, Relay: client, Messages: q})
	if err != nil {
		t.Fatal(err)
	}
	l := bury(t, q, verified(), testMail)
	if _, err := q.Replay(t.Context(), retry.Filter{IDs: []string{l.ID}}, "", 0); err != nil {
		t.Fatal(err)
	}
	w := retry.NewWorker(q, rejects{}, retry.WorkerConfig{}, retry.WorkerDeps{DeadLetter: r.DeadLetter})
	working, stopWorking := context.WithCancel(t.Context())
	reporting, stopReporting := context.WithCancel(t.Context())
	worked, reported := make(chan error, 1), make(chan struct{})
	go func() { worked <- w.Run(working) }()
	go func() { defer close(reported); r.Run(reporting) }()
	f := <-failures
	stopWorking()
	if err := <-worked; err != nil {
		t.Error(err)
	}
	stopReporting()
	<-reported
	if f.ID != l.ID || f.Reason != "rejected" || f.LastStatus != 406 || f.Attempts != 2 {
		t.Errorf("failure webhook: %+v", f)
	}
	got := server.mails()
	if len(got) != 1 || got[0].to[0] != "anna@example.org" {
		t.Fatalf("notifications: %+v", got)
	}
	if m, err := mail.Parse(mail.Bytes(got[0].body), mail.Limits{}); err != nil || m.Automatic == "" {
		t.Errorf("the notification would be answered: %q %v", m.Automatic, err)
	}
}
