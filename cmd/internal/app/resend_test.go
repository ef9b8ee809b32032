package app

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"sync"
	"testing"
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
