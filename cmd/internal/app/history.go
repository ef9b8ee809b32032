package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/dispatch"
	"postern/gateway/history"
	historypostgres "postern/gateway/history/postgres"
	historysqlite "postern/gateway/history/sqlite"
	"postern/gateway/metrics"
	"postern/gateway/ops/page"
	"postern/retry"
)

// historyShare is the part of the store's octets that history may have, as a
// divisor.
const historyShare = 4

// journal tells the recorder and the open views of each end.
type journal struct {
	recorder *history.Recorder
	live     *page.Live
}

func (j journal) Transaction(r history.Record) {
	j.live.Transaction(r)
	j.recorder.Transaction(r)
}

func (j journal) Attempt(a history.Attempt) {
	j.live.Attempt(a)
	j.recorder.Attempt(a)
}

// handedOver tells the history of a mail that a client came for.
func (a *App) handedOver(l retry.Lease, at retry.Attempt, taken bool) {
	h := history.Attempt{Message: l.MessageID, Delivery: l.ID, Endpoint: l.Endpoint, To: slices.Clone(l.Recipients), At: at.At.UTC().Truncate(time.Millisecond),
		N: l.Attempts + 1, Queued: true, Status: at.Status, Reason: history.HandedOver, Error: at.Error}
	if taken {
		h.Settles = history.SettledDone
	}
	journal{a.recorder, a.live}.Attempt(h)
}

// changed tells the history what an operator did to deliveries; nil without one.
func (a *App) changed() func(history.Attempt) {
	if a.recorder == nil {
		return nil
	}
	return journal{a.recorder, a.live}.Attempt
}

// reconcile keeps the history in line with the queue until ctx ends.
func (a *App) reconcile(ctx context.Context) error {
	if a.history != nil && a.queue != nil {
		history.NewReconciler(a.history, a.queue, a.deps.Logger, time.Now).Run(ctx)
	}
	return nil
}

// openHistory opens what became of messages, beside the queue; in memory alone
// where there is no store.
func (a *App) openHistory(ctx context.Context) error {
	a.live = page.NewLive(time.Now)
	keep := a.cfg.Delivery.History
	if keep <= 0 {
		return nil
	}
	var err error
	if a.history, err = a.historyStore(ctx); err != nil {
		return fmt.Errorf("%sHISTORY: %w", config.Prefix, err)
	}
	a.onClose("the history", a.history.Close)
	show := dispatch.AddressLog(a.cfg.Process.LogAddresses).Show
	a.recorder = history.NewRecorder(history.Config{Keep: keep, Show: show}, history.Deps{Store: a.history, Logger: a.deps.Logger, Now: time.Now})
	metrics.WatchHistory(a.registry, a.recorder)
	return nil
}

func (a *App) historyStore(ctx context.Context) (history.Store, error) {
	d := a.cfg.Delivery
	share := int64(d.MaxBytes) / historyShare
	switch {
	case d.Store == config.StoreOff:
		return history.NewRing(history.RingRecords, history.RingOctets, time.Now), nil
	case d.Store.Postgres():
		return historypostgres.Open(ctx, string(d.Store), historypostgres.Options{MaxBytes: share})
	}
	return historysqlite.Open(ctx, d.Store.Folder(), historysqlite.Options{MaxBytes: share, Logger: a.deps.Logger, Now: time.Now})
}

// HistoryBeside opens the history for an operator's command, beside a running
// owner.
func HistoryBeside(ctx context.Context, d config.Delivery) (history.Store, error) {
	if d.Store.Postgres() {
		return historypostgres.Open(ctx, string(d.Store), historypostgres.Options{})
	}
	return historysqlite.OpenBeside(ctx, d.Store.Folder())
}
