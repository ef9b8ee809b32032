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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway"
	"postern/gateway/mail"
	"postern/gateway/ops"
	"postern/gateway/report"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// app is a gateway with everything around it. newApp wires and listens, Run
// serves, Close undoes newApp; Addr tells where, so that tests bind port 0.
type app struct {
	cfg *Config
	log *slog.Logger

	queue       retry.Queue // nil: off
	breakers    *retry.Breakers
	gateway     *gateway.Gateway
	smtp        *smtp.Server
	certificate *keyPair      // nil: no TLS
	worker      *retry.Worker // nil without a queue
	ops         *ops.Server
	reporter    *report.Reporter // nil: nobody is told of dead letters
	registry    *prometheus.Registry
	metrics     *ops.Metrics

	doors    []door
	http     net.Listener // nil: off
	draining atomic.Bool
	fatal    chan error         // the store can't write any more
	fault    func(point string) // ends the process in a build for crash tests, else nil
	cleanups []cleanup
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
	a := &app{cfg: cfg, log: log, fatal: make(chan error, 1), fault: faults()}
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
	sender, err := webhook.NewSender(webhook.SenderOptions{Logger: a.log, Hostname: a.cfg.Listen.Domain, UserAgent: "Postern/" + versionString()})
	if err != nil {
		return err
	}
	a.onClose("webhook connections", func() error { sender.Close(); return nil })
	if a.queue, err = a.openQueue(ctx); err != nil {
		return err
	}
	spooler, err := a.spooler()
	if err != nil {
		return err
	}
	if err := a.loadCertificate(); err != nil {
		return err
	}
	recent := a.meters(router, spooler)
	if err := a.restoreBreakers(ctx); err != nil {
		return err
	}
	directory, err := a.cfg.directory(router)
	if err != nil {
		return err
	}
	links, err := a.links(ctx)
	if err != nil {
		return err
	}
	deps := gateway.Deps{
		Router: router, Sender: sender, Spooler: spooler, Queue: a.queue, Ledger: a.queue, Breakers: a.breakers,
		Directory: directory, Observer: a.metrics, Logger: a.log, Fault: a.fault,
	}
	if a.queue == nil {
		deps.Ledger = retry.NewMemoryLedger(memoryLedger)
	}
	if links != nil {
		deps.Links = links
	}
	if a.reporter, err = a.newReporter(); err != nil {
		return err
	}
	if a.reporter != nil {
		deps.Reporter = a.reporter
	}
	if a.gateway, err = gateway.New(a.cfg.gateway(), deps); err != nil {
		return err
	}
	if a.queue != nil {
		a.worker = retry.NewWorker(a.queue, a.gateway, a.workerOptions())
	}
	if err := a.smtpServer(); err != nil {
		return err
	}
	if err := a.opsServer(router, links, recent); err != nil {
		return err
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
	for _, d := range a.doors {
		if d.name == name {
			return d.Addr().String()
		}
	}
	if name == "HTTP_ADDR" && a.http != nil {
		return a.http.Addr().String()
	}
	return ""
}

func (a *app) listen() error {
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
		a.doors = append(a.doors, door{l, want.name, want.protocol})
	}
	if a.cfg.Listen.HTTPAddr == "" {
		return nil
	}
	l, err := listen(a.cfg.Listen.HTTPAddr)
	if err != nil {
		return fmt.Errorf("%sHTTP_ADDR: %w", envPrefix, err)
	}
	a.onClose("HTTP_ADDR", func() error { return ignoreClosed(l.Close()) })
	a.http = l
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
// sessions, lets transactions finish within the grace, stops the worker, and
// last the probes.
func (a *app) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, len(a.doors)+2)
	run := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(background); err != nil && background.Err() == nil {
				failed <- err
			}
		})
	}
	working, stopWorking := context.WithCancel(background)
	defer stopWorking()
	for _, d := range a.doors {
		run(func(ctx context.Context) error { return a.serveDoor(ctx, d) })
	}
	run(func(ctx context.Context) error { a.gateway.WatchPauses(ctx); return nil })
	run(a.forgetDead)
	if a.worker != nil {
		run(func(context.Context) error { return a.worker.Run(working) })
	}
	stopReports := a.report(ctx)
	if a.http != nil {
		a.log.Info("listening", "for", "http", "addr", a.http.Addr().String())
		run(func(ctx context.Context) error { return a.ops.Serve(ctx, a.http) })
	}
	err := a.wait(ctx, failed)
	stopWorking() // attempts under way have the same grace as the sessions
	a.drain(ctx)
	stop()
	wg.Wait()
	stopReports()
	return err
}

// report starts the reporter. It ends after the worker, whose last dead
// letters are still told of.
func (a *app) report(ctx context.Context) (stop func()) {
	if a.reporter == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); a.reporter.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (a *app) serveDoor(ctx context.Context, d door) error {
	a.log.Info("listening", "for", strings.ToLower(strings.TrimSuffix(d.name, "_ADDR")), "addr", d.Addr().String())
	if err := a.smtp.Serve(ctx, d.Listener, d.protocol); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("%s%s: %w", envPrefix, d.name, err)
	}
	return nil
}

// drain ends the sessions.
func (a *app) drain(ctx context.Context) {
	a.draining.Store(true)
	a.log.Info("shutting down", "grace", a.cfg.Process.Grace.String())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.Process.Grace)
	defer cancel()
	if err := a.smtp.Shutdown(grace); err != nil {
		a.log.Warn("sessions were cut off at the end of the grace; their senders keep the mail", "error", err)
	}
}

// ready is the readiness probe's answer. Webhooks and what waits have no say:
// a restart would mend neither.
func (a *app) ready(ctx context.Context) error {
	if a.draining.Load() {
		return errors.New("shutting down")
	}
	if a.queue == nil {
		return nil
	}
	return a.queue.Health(ctx)
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
