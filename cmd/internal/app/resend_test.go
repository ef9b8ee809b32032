package app

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"sync"
	"testing"
	"time"

	"postern/gateway/history"
)

// A mail with a Message-ID that is sent anew keeps its webhook-id; without one
// two equal mails are two mails, such as two alarms of a device.
func TestSentAnew(t *testing.T) {
	var mu sync.Mutex
	var ids []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, r.Header.Get("webhook-id"))
	}))
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL)
	for header, same := range map[string]bool{"Message-ID: <alarm-1@device.example>\r\n": true, "": false} {
		mu.Lock()
		ids = nil
		mu.Unlock()
		for range 2 {
			if err := sendPlain(a, header+"Subject: alarm\r\n\r\nThe door is open.\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		if len(ids) != 2 || ids[0] == "" || (ids[0] == ids[1]) != same {
			t.Errorf("with the header %q the ids are %q", header, ids)
		}
		mu.Unlock()
	}
}

// A sender that comes again with what the queue has already leaves a record that
// names the first one, and doesn't wait for ever.
func TestSentAnewWhileItWaits(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL, "POSTERN_RETRY_FIRST=1h", "POSTERN_RETRY_STORE=sqlite://"+t.TempDir())
	for range 2 {
		if err := sendPlain(a, "Message-ID: <alarm-1@device.example>\r\nSubject: alarm\r\n\r\nThe door is open.\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	var found []history.Record
	for end := time.Now().Add(time.Minute); len(found) < 2 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		if found, _, err = a.history.Find(t.Context(), history.Query{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(found) == 2 && found[1].Repeats != "" { // both ended within a millisecond
		found[0], found[1] = found[1], found[0]
	}
	if len(found) != 2 || found[1].Waiting != 1 || found[1].Became() != "waiting" || found[0].Waiting != 0 || found[0].Repeats != found[1].ID || found[0].Became() != "repeated" {
		t.Errorf("%+v", found)
	}
}

// sendPlain sends a mail in the clear.
func sendPlain(a *App, content string) error {
	c, err := smtp.Dial(a.Addr("SMTP_ADDR"))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Mail("device@example.com"), c.Rcpt("b@example.com")); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, content)
	return errors.Join(err, w.Close())
}
