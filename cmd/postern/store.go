package main

import (
	"context"
	"fmt"

	"postern/retry"
	"postern/retry/sqlite"
)

// openQueue opens the store that the gateway owns; nil without one.
func (a *app) openQueue(ctx context.Context) (retry.Queue, error) {
	d := a.cfg.Delivery
	switch {
	case d.Store == storeOff:
		return nil, nil
	case d.Store.Postgres():
		return nil, fmt.Errorf("%sRETRY_STORE: this build has no PostgreSQL store; use sqlite:// and a folder", envPrefix)
	}
	q, err := sqlite.Open(ctx, d.Store.Folder(), sqlite.Options{
		MaxBytes: int64(d.MaxBytes), MaxMessages: d.MaxMessages, MaxMessage: int64(a.cfg.SMTP.MaxSize), Logger: a.log,
		Fault: a.storeFault(),
		OnFatal: func(err error) {
			select {
			case a.fatal <- err:
			default:
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%sRETRY_STORE: %w", envPrefix, err)
	}
	a.onClose("the queue", q.Close)
	return q, nil
}

// storeFault passes the store's own steps on.
func (a *app) storeFault() func(point string) error {
	if a.fault == nil {
		return nil
	}
	return func(point string) error { a.fault(point); return nil }
}
