package app

import (
	"context"
	"errors"
	"time"
)

// ready is the readiness probe's answer. Webhooks and what waits have no say,
// and where webhooks are asked first the store hasn't either: a database that is
// away must not take the pods out that healthy webhooks are reached through.
func (a *App) ready(ctx context.Context) error {
	switch {
	case a.draining.Load():
		return errors.New("shutting down")
	case a.queue != nil && a.queueFirst():
		return a.queue.Health(ctx)
	}
	return nil
}

// queueFirst reports whether no mail is taken without the store.
func (a *App) queueFirst() bool { return a.cfg.Delivery.Accept == "queue" }

// degraded is what is wrong although mail is taken: with the store, or with the
// memory for mail.
func (a *App) degraded(ctx context.Context) error {
	short := a.shortOfMemory()
	if a.queue == nil {
		return short
	}
	return errors.Join(a.queue.Health(ctx), a.bodiesAway(), short)
}

// bodiesAway says that the object store for large bodies fails, or that nothing may
// be deleted there. Readiness has no
// say in it: small mail is queued all the same.
func (a *App) bodiesAway() error {
	if a.bodies == nil {
		return nil
	}
	return errors.Join(a.bodies.Health(), a.bodies.Held())
}

const (
	storeCheckEvery = 10 * time.Second
	storeTimeout    = 5 * time.Second // for one look at the store
)

// watchStore logs when the store fails and when it works again, until ctx ends.
func (a *App) watchStore(ctx context.Context) error {
	if a.queue == nil {
		return nil
	}
	tick := time.NewTicker(storeCheckEvery)
	defer tick.Stop()
	for was := ""; ; {
		was = a.tellStore(ctx, was)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tellStore looks at the store once; was is what was wrong at the last look.
func (a *App) tellStore(ctx context.Context, was string) string {
	look, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := a.queue.Health(look)
	switch {
	case ctx.Err() != nil:
	case err == nil && was != "":
		a.deps.Logger.Info("the store works again")
	case err != nil && was == "":
		a.deps.Logger.Error("degraded: the store fails, so what must wait is left with its sender", "err", err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
