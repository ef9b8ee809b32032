package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/metrics"
	"postern/gateway/ops/change"
	"postern/retry"
	"postern/retry/engine"
	"postern/retry/postgres"
	"postern/retry/s3"
	"postern/retry/sqlite"
)

// openQueue opens the store that the gateway owns; nil without one.
func (a *App) openQueue(ctx context.Context) (retry.Queue, error) {
	d := a.cfg.Delivery
	if d.Store == config.StoreOff {
		return nil, nil
	}
	var err error
	if a.bodies, err = a.openBodies(d.BodyStore); err != nil {
		return nil, err
	}
	q, err := a.openEngine(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%sRETRY_STORE: %w%s", config.Prefix, err, whoseFolder(err, d.Store.Folder()))
	}
	a.deps.Logger.Info("queue open", "store", d.Store.String())
	a.onClose("the queue", q.Close)
	timed := metrics.WatchStore(a.registry, q)
	a.dedup = retry.NewFallbackDedup(timed, maxDedupRecords, a.deps.Logger)
	return timed, nil
}

func (a *App) openEngine(ctx context.Context, d config.Delivery) (retry.Queue, error) {
	if d.Store.Postgres() {
		return postgres.Open(ctx, string(d.Store), postgres.Options{
			MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, Logger: a.deps.Logger, Bodies: bodies(a.bodies),
			Dir: a.spoolDir, LocalBytes: int64(a.cfg.Process.SpoolMaxBytes) / localShare,
		})
	}
	return sqlite.Open(ctx, d.Store.Folder(), sqlite.Options{
		MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, MaxMessage: int64(a.cfg.SMTP.MaxSize), Logger: a.deps.Logger,
		Now: a.clock.Now, Fault: a.storeFault(), OnFatal: a.fail, Bodies: bodies(a.bodies),
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
	store, err := OpenBodies(d.BodyStore)
	if err != nil {
		return nil, err
	}
	q, err := openBeside(ctx, d, bodies(store))
	if store == nil {
		return q, err
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return beside{q, store}, nil
}

func openBeside(ctx context.Context, d config.Delivery, b engine.Bodies) (retry.Queue, error) {
	if d.Store.Postgres() {
		return postgres.Open(ctx, string(d.Store), postgres.Options{Admin: true, MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, Bodies: b})
	}
	return sqlite.Open(ctx, d.Store.Folder(), sqlite.Options{Admin: true, MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, Bodies: b})
}

// beside is a queue that closes its bodies' store, too.
type beside struct {
	retry.Queue
	bodies *s3.Store
}

func (b beside) Close() error { return errors.Join(b.Queue.Close(), b.bodies.Close()) }

// openBodies opens the object store for large bodies; nil without one.
func (a *App) openBodies(place config.BodyStore) (*s3.Store, error) {
	store, err := openBodies(place, a.deps.Logger, a.spoolDir, int64(a.cfg.Process.SpoolMaxBytes)/localShare)
	if store != nil {
		a.onClose("the object store", store.Close)
	}
	return store, err
}

// localShare is the part of the spool's bound, as a divisor, that bodies have
// beside it while they are read.
const localShare = 4

// OpenBodies opens the object store that POSTERN_BODY_STORE names, for commands;
// nil where there is none. Bodies are read by way of the system's folder for
// temporary files.
func OpenBodies(place config.BodyStore) (*s3.Store, error) { return openBodies(place, nil, "", 0) }

func openBodies(place config.BodyStore, log *slog.Logger, dir string, localBytes int64) (*s3.Store, error) {
	if place == "" {
		return nil, nil
	}
	cfg, err := s3.ParseAddress(string(place))
	if err == nil {
		cfg, err = cfg.Environ()
	}
	cfg.Dir, cfg.LocalBytes = dir, localBytes
	var store *s3.Store
	if err == nil {
		store, err = s3.Open(cfg, s3.Deps{Logger: log})
	}
	if err != nil {
		return nil, config.Refuse("BODY_STORE", err)
	}
	return store, nil
}

// bodies is the store as engines take it: a nil one is none.
func bodies(s *s3.Store) engine.Bodies {
	if s == nil {
		return nil
	}
	return s
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
	if a.queue == nil || a.cfg.Delivery.DeadRetain <= 0 {
		return nil
	}
	tick := time.NewTicker(deadSweepEvery)
	defer tick.Stop()
	for {
		n, err := a.purgeDead(ctx)
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

// purgeDead deletes those that are so old now.
func (a *App) purgeDead(ctx context.Context) (int, error) {
	old := retry.Filter{State: retry.Dead, Before: time.Now().Add(-a.cfg.Delivery.DeadRetain)}
	return change.New(a.queue, a.changed(), a.clock.Now).Do(ctx, change.Request{Verb: change.Delete, Filter: old, By: config.Prefix + "DEAD_RETAIN"}, nil)
}
