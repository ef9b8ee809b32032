package dispatch

import (
	"context"
	"sync"
	"time"

	"postern/gateway/mail"
	"postern/webhook/payload"
)

// Mail is a message on its way to its webhooks; its deliveries share it.
type Mail struct {
	Envelope *mail.Envelope
	Raw      mail.Source   // our header lines and the octets of DATA
	Message  *mail.Message // what today's parser reads in Raw

	// Keep makes the content durable until the time, before a url names it; nil:
	// there is no store, and so no urls.
	Keep func(ctx context.Context, until time.Time) error

	sum func() (string, error)
}

// NewMail returns a message to deliver.
func NewMail(env *mail.Envelope, raw mail.Source, m *mail.Message) *Mail {
	return &Mail{Envelope: env, Raw: raw, Message: m, sum: sync.OnceValues(func() (string, error) { return payload.RawSum(raw) })}
}
