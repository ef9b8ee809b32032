package app

import (
	"context"
	"fmt"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/again"
	"postern/gateway/archive"
	"postern/gateway/history"
	"postern/gateway/kept"
	keptfiles "postern/gateway/kept/files"
	keptpostgres "postern/gateway/kept/postgres"
	"postern/gateway/metrics"
	"postern/webhook"
)

// keptShare is the part of the store's octets that delivered mail may have, as a
// divisor.
const keptShare = 4

// keptSteps is in how many folders delivered mail lies at most, by its age.
const keptSteps = 1000

// openKept opens where delivered mail is kept, if it is.
func (a *App) openKept(ctx context.Context) error {
	d := a.cfg.Delivery
	if d.Keep <= 0 || a.queue == nil {
		return nil
	}
	var err error
	if d.Store.Postgres() {
		a.kept, err = keptpostgres.Open(ctx, string(d.Store), keptpostgres.Options{MaxBytes: int64(d.MaxBytes) / keptShare})
	} else {
		a.kept, err = keptfiles.Open(d.Store.Folder(), keptfiles.Options{MaxBytes: int64(d.MaxBytes) / keptShare, Step: d.Keep / keptSteps,
			MinFree: keptfiles.Floor(d.Store.Folder(), int64(a.cfg.SMTP.MaxSize))})
	}
	if err != nil {
		return fmt.Errorf("%sKEEP: %w", config.Prefix, err)
	}
	a.onClose("delivered mail", a.kept.Close)
	a.keeper = kept.NewKeeper(d.Keep, kept.Deps{Store: a.kept, Logger: a.deps.Logger, Now: time.Now})
	metrics.WatchKept(a.registry, a.keeper)
	return nil
}

// KeptBeside opens delivered mail for an operator's command, beside a running
// gateway.
func KeptBeside(ctx context.Context, d config.Delivery) (kept.Store, error) {
	if d.Store.Postgres() {
		return keptpostgres.Open(ctx, string(d.Store), keptpostgres.Options{})
	}
	return keptfiles.OpenBeside(d.Store.Folder())
}

// messages is where a message may be: in the queue, or kept.
func (a *App) messages() archive.Messages {
	if a.kept == nil {
		return a.queue
	}
	return archive.Anywhere(a.queue, a.kept)
}

// newSendAgain makes what sends messages again.
func (a *App) newSendAgain(router *webhook.Router) *again.Sender {
	return again.New(again.Deps{Queue: a.queue, Messages: a.messages(), Router: router, Life: a.cfg.Delivery.RetryMaxAge, History: a.changed(), Now: a.clock.Now})
}

// StoredMail is what NewSendAgain needs of the queue.
type StoredMail interface {
	again.Queue
	archive.Messages
}

// NewSendAgain sends messages again for an operator's command, out of an open
// queue and, where there is one, the store of delivered mail.
func NewSendAgain(c *config.Config, q StoredMail, delivered kept.Store, router *webhook.Router, tell func(history.Attempt)) *again.Sender {
	messages := archive.Messages(q)
	if delivered != nil {
		messages = archive.Anywhere(q, delivered)
	}
	return again.New(again.Deps{Queue: q, Messages: messages, Router: router, Life: c.Delivery.RetryMaxAge, History: tell, Now: time.Now})
}
