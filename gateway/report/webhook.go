package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"postern/webhook"
)

const (
	hookTimeout = 10 * time.Second // for the answer
	maxAnswer   = 64 << 10         // octets of it that are read, to keep the connection
)

// Webhook is told of each dead letter by a JSON POST, signed as Standard
// Webhooks where there is a secret.
type Webhook struct {
	url    string
	user   *url.Userinfo
	secret webhook.SecretSource
	client *http.Client
}

// NewWebhook returns the webhook at the url; its userinfo becomes basic auth.
// secret (whsec_…) is nil for none.
func NewWebhook(address string, secret webhook.SecretSource) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("report: POSTERN_FAILURE_URL is not an http or https url")
	}
	w := &Webhook{user: u.User, secret: secret}
	u.User = nil
	w.url = u.String()
	w.client = &http.Client{
		Timeout:       hookTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// Failure is the body of the POST, version 1: fields are added, never changed.
type Failure struct {
	Type       string    `json:"type"` // "delivery.dead"
	Version    int       `json:"version"`
	Timestamp  time.Time `json:"timestamp"` // when it was given up
	ID         string    `json:"id"`        // the delivery, as in "postern queue show"
	MessageID  string    `json:"message_id"`
	Endpoint   string    `json:"endpoint"`
	Recipients []string  `json:"recipients"`
	From       string    `json:"from"`
	Subject    string    `json:"subject"`
	Size       int64     `json:"size"`
	Reason     string    `json:"reason"`
	Attempts   int       `json:"attempts"`
	LastStatus int       `json:"last_status"` // HTTP, 0 where none came
	LastError  string    `json:"last_error"`
	Received   time.Time `json:"received"`
}

// tell POSTs the dead letter; the error never shows the url.
func (w *Webhook) tell(ctx context.Context, d letter) error {
	i := d.info
	body, err := json.Marshal(Failure{Type: "delivery.dead", Version: 1, Timestamp: d.at.UTC(), ID: i.ID, MessageID: i.MessageID,
		Endpoint: i.Endpoint, Recipients: i.Recipients, From: i.From, Subject: i.Subject, Size: i.Size, Reason: i.Reason,
		Attempts: i.Attempts, LastStatus: i.LastStatus, LastError: i.LastError, Received: i.Received.UTC()})
	if err != nil {
		return permanent(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return permanent(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Postern")
	if w.user != nil {
		password, _ := w.user.Password()
		req.SetBasicAuth(w.user.Username(), password)
	}
	if err := w.sign(req.Header, fmt.Sprintf("dead_%s_%d", i.ID, i.Attempts), d.at, body); err != nil {
		return permanent(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("the failure webhook didn't answer: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the failure webhook answered %d", resp.StatusCode)
	}
	return nil
}

// sign sets the headers of Standard Webhooks; the id stays the same over tries.
func (w *Webhook) sign(h http.Header, id string, at time.Time, body []byte) error {
	h.Set(webhook.HeaderID, id)
	h.Set(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	if w.secret == nil || w.secret() == "" {
		return nil
	}
	signature, err := webhook.Sign(w.secret(), id, at, func(to io.Writer) error { _, err := to.Write(body); return err })
	if err != nil {
		return fmt.Errorf("the failure webhook's secret: %w", err)
	}
	h.Set(webhook.HeaderSignature, signature)
	return nil
}
