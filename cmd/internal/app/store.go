package app

import (
	"context"
	"fmt"
	"time"

	"postern/cmd/internal/config"
	"postern/retry"
	"postern/retry/postgres"
	"postern/retry/sqlite"
)

// openQueue opens the store that the gateway owns; nil without one.
func (a *App) openQueue(ctx context.Context) (retry.Queue, error) {
	d := a.cfg.Delivery
	if d.Store == config.StoreOff {
		return nil, nil
	}
	q, err := a.openEngine(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%sRETRY_STORE: %w%s", config.Prefix, err, whoseFolder(err, d.Store.Folder()))
	}
	a.deps.Logger.Info("queue open", "store", d.Store.String())
	a.onClose("the queue", q.Close)
	a.dedup = retry.NewFallbackDedup(q, maxDedupRecords, a.deps.Logger)
	return q, nil
}

func (a *App) openEngine(ctx context.Context, d config.Delivery) (retry.Queue, error) {
	if d.Store.Postgres() {
		return postgres.Open(ctx, string(d.Store), postgres.Options{
			MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, Logger: a.deps.Logger,
		})
	}
	return sqlite.Open(ctx, d.Store.Folder(), sqlite.Options{
		MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, MaxMessage: int64(a.cfg.SMTP.MaxSize), Logger: a.deps.Logger,
		Now: a.clock.Now, Fault: a.storeFault(), OnFatal: a.fail,
	})
}

// endpointKey is where the store notes that a gateway had an endpoint by a name.
func endpointKey(name string) string { return "endpoint:" + name }

// noteEndpoints tells the store which endpoints there are, for commands whose
// environment has none.
func (a *App) noteEndpoints(ctx context.Context) {
	if a.queue == nil {
		return
	}
	for _, w := range a.cfg.Endpoints() {
		if _, err := a.queue.PutMeta(ctx, endpointKey(w.Name), []byte("1")); err != nil {
			a.deps.Logger.Warn("the store can't note the endpoints' names", "err", err)
			return
		}
	}
}

// HadEndpoint reports whether a gateway on the store had an endpoint by the name.
func HadEndpoint(ctx context.Context, q retry.Meta, name string) (bool, error) {
	noted, err := q.Meta(ctx, endpointKey(name))
	return noted != nil, err
}

// fail ends Run: the store can't write any more.
func (a *App) fail(err error) {
	select {
	case a.fatal <- err:
	default: // it is ending already
	}
}

// OpenBeside opens the store for an operator's command, beside a running owner.
func OpenBeside(ctx context.Context, d config.Delivery) (retry.Queue, error) {
	if d.Store.Postgres() {
		return postgres.Open(ctx, string(d.Store), postgres.Options{Admin: true, MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages})
	}
	return sqlite.Open(ctx, d.Store.Folder(), sqlite.Options{Admin: true, MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages})
}

// storeFault passes the store's own steps on.
func (a *App) storeFault() func(point string) error {
	if a.deps.Fault == nil {
		return nil
	}
	return func(point string) error { a.deps.Fault(point); return nil }
}

// deadSweepEvery is how often dead letters are looked through for old ones.
const deadSweepEvery = 10 * time.Minute

// forgetDead deletes the dead letters that are older than POSTERN_DEAD_RETAIN,
// until ctx ends.
func (a *App) forgetDead(ctx context.Context) error {
	keep := a.cfg.Delivery.DeadRetain
	if a.queue == nil || keep <= 0 {
		return nil
	}
	tick := time.NewTicker(deadSweepEvery)
	defer tick.Stop()
	for {
		n, err := a.queue.Delete(ctx, retry.Filter{State: retry.Dead, Before: time.Now().Add(-keep)})
		switch {
		case err != nil && ctx.Err() == nil:
			a.deps.Logger.Error("old dead letters could not be deleted", "err", err)
		case n > 0:
			a.deps.Logger.Warn("dead letters older than POSTERN_DEAD_RETAIN were deleted", "count", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
