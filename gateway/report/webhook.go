package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/webhook"
	"postern/webhook/call"
)

const (
	hookTimeout = 10 * time.Second // for the answer
	maxAnswer   = 64 << 10         // octets of it that are read, to keep the connection
)

// Webhook is told of each dead letter by a JSON POST, signed as Standard
// Webhooks where there is a secret.
type Webhook struct{ client *call.Client }

// NewWebhook returns the webhook at the url; its userinfo becomes basic auth.
// secret (whsec_…) is nil for none.
func NewWebhook(url string, secret webhook.SecretSource, deps call.Deps) (*Webhook, error) {
	client, err := call.New(call.Config{URL: url, Secret: secret, Timeout: hookTimeout, MaxAnswer: maxAnswer}, deps)
	if err != nil {
		return nil, fmt.Errorf("report: the failure webhook: %w", err)
	}
	return &Webhook{client}, nil
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

// post POSTs the dead letter. The call's id stays the same over its tries; the
// error never shows the url.
func (w *Webhook) post(ctx context.Context, d letter) error {
	i := d.info
	a, err := w.client.Post(ctx, fmt.Sprintf("dead_%s_%d", i.ID, i.Attempts), Failure{Type: "delivery.dead", Version: 1, Timestamp: d.at.UTC(), ID: i.ID, MessageID: i.MessageID,
		Endpoint: i.Endpoint, Recipients: i.Recipients, From: i.From, Subject: i.Subject, Size: i.Size, Reason: i.Reason,
		Attempts: i.Attempts, LastStatus: i.LastStatus, LastError: i.LastError, Received: i.Received.UTC()})
	switch {
	case errors.Is(err, call.ErrSecret):
		return permanent(fmt.Errorf("the failure webhook's secret: %w", err))
	case err != nil:
		return fmt.Errorf("the failure webhook didn't answer: %w", err)
	case a.Status/100 != 2:
		return fmt.Errorf("the failure webhook answered %d", a.Status)
	}
	return nil
}
