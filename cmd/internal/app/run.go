package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"postern/cmd/internal/config"
	"postern/gateway/smtp"
)

// Run serves until ctx ends or the store fails. Then it says 421 to idle
// sessions, lets transactions finish within the grace, stops the worker, then the
// probes, and last those who write down what became of mail.
func (a *App) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, len(a.listeners)+2)
	run := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(background); err != nil && background.Err() == nil {
				failed <- err
			}
		})
	}
	working, stopWorking := context.WithCancel(background)
	defer stopWorking()
	for _, l := range a.listeners {
		run(func(ctx context.Context) error { return a.serveMail(ctx, l) })
	}
	run(func(ctx context.Context) error { a.dispatch.WatchPauses(ctx); return nil })
	run(a.forgetDead)
	run(a.reconcile)
	if a.dedup != nil {
		run(func(ctx context.Context) error { a.dedup.Run(ctx); return nil })
	}
	run(a.watchStore)
	run(a.watchMemory)
	run(a.spare.run)
	if a.worker != nil {
		run(func(context.Context) error { return a.worker.Run(working) })
	}
	stopTelling := a.tell(ctx)
	if a.http != nil {
		a.deps.Logger.Info("listening", "for", "http", "addr", a.http.Addr().String())
		run(func(ctx context.Context) error { return a.ops.Serve(ctx, a.http) })
	}
	err := a.wait(ctx, failed)
	stopWorking() // attempts under way have the same grace as the sessions
	a.drain(ctx)
	stop()
	wg.Wait()
	stopTelling()
	return err
}

// tell starts those who are told of attempts: the reporter, the recorder and the
// keeper. They end after the worker, whose last attempts come at the end of the
// grace.
func (a *App) tell(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	if a.reporter != nil {
		wg.Go(func() { a.reporter.Run(ctx) })
	}
	if a.recorder != nil {
		wg.Go(func() { a.recorder.Run(ctx) })
	}
	if a.keeper != nil {
		wg.Go(func() { a.keeper.Run(ctx) })
	}
	return func() { cancel(); wg.Wait() }
}

func (a *App) serveMail(ctx context.Context, l listener) error {
	a.deps.Logger.Info("listening", "for", strings.ToLower(strings.TrimSuffix(l.name, "_ADDR")), "addr", l.Addr().String())
	if err := a.smtp.Serve(ctx, l.Listener, l.protocol); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("%s%s: %w", config.Prefix, l.name, err)
	}
	return nil
}

// drain ends the sessions.
func (a *App) drain(ctx context.Context) {
	a.draining.Store(true)
	a.deps.Logger.Info("shutting down", "grace", a.cfg.Process.Grace.String())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Process.Grace)
	defer cancel()
	if err := a.smtp.Shutdown(grace); err != nil {
		a.deps.Logger.Warn("sessions were cut off at the end of the grace; their senders keep the mail", "err", err)
	}
}

// wait returns nil when ctx ends, or what makes going on pointless.
func (a *App) wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case err := <-a.fatal:
		return fmt.Errorf("the store can't write any more, so no mail is taken; start again to recover: %w", err)
	}
}
