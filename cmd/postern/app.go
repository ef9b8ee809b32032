package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"postern/gateway"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// app is a gateway with everything around it. newApp wires and listens, Run
// serves, Close undoes newApp; Addr tells where, so that tests bind port 0.
type app struct {
	cfg *Config
	log *slog.Logger

	gateway   *gateway.Gateway
	smtp      *smtp.Server
	worker    *retry.Worker // nil without a queue
	listeners []door
	fatal     chan error // the store can't write any more
	cleanups  []cleanup
}

// door is a listener and what is spoken there.
type door struct {
	net.Listener
	name     string // of its variable: SMTP_ADDR …
	protocol smtp.Protocol
}

// cleanup is undone last in, first out.
type cleanup struct {
	name string
	undo func() error
}

func newApp(ctx context.Context, cfg *Config, log *slog.Logger) (*app, error) {
	a := &app{cfg: cfg, log: log, fatal: make(chan error, 1)}
	if err := a.setup(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// setup is one straight line, in the order in which the parts need each other.
func (a *app) setup(ctx context.Context) error {
	router, err := a.cfg.router()
	if err != nil {
		return err
	}
	sender, err := webhook.NewSender(webhook.SenderOptions{Logger: a.log, Hostname: a.cfg.Listen.Domain, UserAgent: "Postern/" + version})
	if err != nil {
		return err
	}
	a.onClose("webhook connections", func() error { sender.Close(); return nil })
	queue, err := a.openQueue(ctx)
	if err != nil {
		return err
	}
	breakers, err := a.breakers(ctx, queue)
	if err != nil {
		return err
	}
	spooler, err := a.spooler()
	if err != nil {
		return err
	}
	directory, err := a.cfg.directory(router)
	if err != nil {
		return err
	}
	deps := gateway.Deps{
		Router: router, Sender: sender, Spooler: spooler, Queue: queue, Ledger: queue, Breakers: breakers, Directory: directory, Logger: a.log,
	}
	if queue == nil {
		deps.Ledger = retry.NewMemoryLedger(memoryLedger)
	}
	if a.gateway, err = gateway.New(a.cfg.gateway(), deps); err != nil {
		return err
	}
	if queue != nil {
		a.worker = retry.NewWorker(queue, a.gateway, a.workerOptions(router, breakers))
	}
	return a.listen()
}

// memoryLedger is how many messages are remembered without a store.
const memoryLedger = 10_000

func (a *app) onClose(name string, undo func() error) {
	a.cleanups = append(a.cleanups, cleanup{name, undo})
}

// Close undoes what newApp did; after Run there is nothing left to refuse.
func (a *app) Close() error {
	var errs []error
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		if err := a.cleanups[i].undo(); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", a.cleanups[i].name, err))
		}
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

// Addr is where the listener of a variable (SMTP_ADDR …) waits, "" if it is off.
func (a *app) Addr(name string) string {
	for _, l := range a.listeners {
		if l.name == name {
			return l.Addr().String()
		}
	}
	return ""
}

func (a *app) listen() error {
	if err := a.smtpServer(); err != nil {
		return err
	}
	for _, want := range []struct {
		name     string
		addr     Addr
		protocol smtp.Protocol
	}{
		{"SMTP_ADDR", a.cfg.Listen.SMTPAddr, smtp.SMTP},
		{"SMTPS_ADDR", a.cfg.Listen.SMTPSAddr, smtp.SMTPS},
		{"LMTP_ADDR", a.cfg.Listen.LMTPAddr, smtp.LMTP},
	} {
		if want.addr == "" {
			continue
		}
		l, err := listen(want.addr)
		if err != nil {
			return fmt.Errorf("%s%s: %w", envPrefix, want.name, err)
		}
		a.onClose(want.name, func() error { return ignoreClosed(l.Close()) })
		a.listeners = append(a.listeners, door{l, want.name, want.protocol})
	}
	return nil
}

// listen opens a TCP or unix listener; a socket file that nobody listens on
// any more is replaced.
func listen(addr Addr) (net.Listener, error) {
	path, unix := strings.CutPrefix(string(addr), "unix:")
	if !unix {
		return net.Listen("tcp", string(addr))
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// spooler puts spools into the store's folder, so that queueing a spooled body
// is a link.
func (a *app) spooler() (*mail.Spooler, error) {
	dir := a.cfg.Process.SpoolDir
	own := false
	if dir == "" {
		if folder := a.cfg.Delivery.Store.Folder(); folder != "" {
			dir, own = filepath.Join(folder, "spool"), true
		} else {
			made, err := os.MkdirTemp("", "postern-spool-")
			if err != nil {
				return nil, fmt.Errorf("%sSPOOL_DIR is not set and no temporary folder can be made: %w", envPrefix, err)
			}
			dir = made
			a.onClose("the spool", func() error { return os.RemoveAll(made) })
		}
	}
	s, err := mail.NewSpooler(dir, mail.DefaultSpoolMemory, int64(a.cfg.Process.SpoolMaxBytes))
	if err != nil {
		return nil, err
	}
	age := strayAge
	if own {
		age = 0 // the store's lock says that nobody else is here
	}
	return s, s.Sweep(time.Now().Add(-age))
}

// strayAge is when a spool file in a shared folder is nobody's any more: no
// session lives as long.
const strayAge = 24 * time.Hour

// Run serves until ctx ends or the store fails. Then it says 421 to idle
// sessions, lets transactions finish within the grace, and stops the worker.
func (a *app) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, len(a.listeners)+1)
	for _, l := range a.listeners {
		wg.Go(func() {
			if err := a.smtp.Serve(background, l.Listener, l.protocol); err != nil && !errors.Is(err, smtp.ErrServerClosed) && background.Err() == nil {
				failed <- fmt.Errorf("%s%s: %w", envPrefix, l.name, err)
			}
		})
		a.log.Info("listening", "for", strings.ToLower(strings.TrimSuffix(l.name, "_ADDR")), "addr", l.Addr().String())
	}
	wg.Go(func() { a.gateway.WatchPauses(background) })
	if a.worker != nil {
		wg.Go(func() {
			if err := a.worker.Run(background); err != nil {
				failed <- err
			}
		})
	}
	err := a.wait(ctx, failed)
	a.log.Info("shutting down", "grace", a.cfg.Process.Grace.String())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Process.Grace)
	defer cancel()
	if cut := a.smtp.Shutdown(grace); cut != nil {
		a.log.Warn("sessions were cut off at the end of the grace; their senders keep the mail", "error", cut)
	}
	stop()
	wg.Wait()
	return err
}

// wait returns nil when ctx ends, or what makes going on pointless.
func (a *app) wait(ctx context.Context, failed <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case err := <-a.fatal:
		return fmt.Errorf("the store can't write any more, so no mail is taken; start again to recover: %w", err)
	}
}
