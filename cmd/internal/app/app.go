// Package app is the gateway as a program: the only place where the parts are
// wired to each other.
//
// New wires and listens, Run serves until its context ends or the store fails,
// Close undoes New; Addr tells where, so that tests bind port 0. Parts are
// closed in the reverse of the order in which they were opened, whatever
// happened in between.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"postern/cmd/internal/config"
	"postern/gateway"
	"postern/gateway/again"
	"postern/gateway/auth"
	"postern/gateway/budget"
	"postern/gateway/dispatch"
	"postern/gateway/history"
	"postern/gateway/kept"
	"postern/gateway/metrics"
	"postern/gateway/ops"
	"postern/gateway/ops/page"
	"postern/gateway/reload"
	"postern/gateway/report"
	"postern/gateway/smtp"
	"postern/gateway/tracing"
	"postern/retry"
	"postern/retry/s3"
	"postern/webhook/call"
)

// App is a gateway with everything around it.
type App struct {
	cfg   *config.Config
	deps  Deps
	clock *retry.Clock // of the whole program

	ballast     []byte             // never read: the garbage collector counts it
	spoolDir    string             // where mail lies while it is worked on
	spoolOwn    bool               // nobody else is there
	budget      *budget.Budget     // of memory for mail; nil: no bound
	processors  *budget.Processors // among which work on large mail is shared out
	spare       spare
	bodies      *s3.Store            // of large queued mail; nil: they lie in the queue's store
	queue       retry.Queue          // nil: off
	dedup       *retry.FallbackDedup // nil without a queue
	breakers    *retry.Breakers
	dispatch    *dispatch.Dispatcher
	auth        *auth.Checker // nil: nobody is checked
	gateway     *gateway.Gateway
	smtp        *smtp.Server
	certificate *reload.File[*tls.Certificate] // nil: no TLS
	worker      *retry.Worker                  // nil without a queue
	ops         *ops.Server
	tracer      *tracing.Tracer      // nil: nobody traces
	reporter    *report.Reporter     // nil: nobody is told of dead letters
	registry    *prometheus.Registry // of metrics; who makes a part registers its own
	metrics     *metrics.Metrics

	again    *again.Sender     // nil without a queue
	kept     kept.Store        // nil: delivered mail isn't kept
	keeper   *kept.Keeper      // writes it
	history  history.Store     // nil: off
	recorder *history.Recorder // writes it
	live     *page.Live        // for the page

	listeners []listener   // of mail
	http      net.Listener // nil: off
	draining  atomic.Bool
	fatal     chan error // the store can't write any more
	cleanups  []cleanup
}

// Deps are what a gateway takes from the process around it.
type Deps struct {
	Logger  *slog.Logger
	Version string // in the greeting's HELP, the User-Agent, metrics and the page
	// propagate lets a webhook go on with a POST's trace; nil: nobody traces.
	propagate func(ctx context.Context, h http.Header)
	Fault     func(point string) // called at each step of a message, in builds for crash tests; else nil
}

// cleanup is undone last in, first out.
type cleanup struct {
	name string
	undo func() error
}

// reload is how files that change are read.
func (d Deps) reload() reload.Deps { return reload.Deps{Logger: d.Logger} }

// call is how services other than the endpoints are called.
func (d Deps) call() call.Deps { return call.Deps{UserAgent: d.userAgent()} }

func (d Deps) userAgent() string { return "Postern/" + d.Version }

// New wires a gateway and opens its store and its listeners. Its errors are a
// *config.Error where the configuration is to blame.
func New(ctx context.Context, cfg *config.Config, deps Deps) (*App, error) {
	if deps.Fault == nil {
		deps.Fault = faults()
	}
	a := &App{cfg: cfg, deps: deps, registry: prometheus.NewRegistry(), fatal: make(chan error, 1)}
	a.clock = retry.NewClock(wall(), a.clockParted)
	if err := a.setup(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// setup is one straight line, in the order in which the parts need each other.
func (a *App) setup(ctx context.Context) error {
	router, err := a.cfg.Router(a.deps.reload())
	if err != nil {
		return err
	}
	a.trace(ctx)
	a.processors = a.newProcessors()
	sender, err := newSender(a.cfg, a.deps, a.processors)
	if err != nil {
		return err
	}
	a.budget = a.memory()
	a.onClose("webhook connections", func() error { sender.Close(); return nil })
	if err := a.chooseSpoolDir(); err != nil {
		return err
	}
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
	a.meters(router, spooler)
	if err := a.openHistory(ctx); err != nil {
		return err
	}
	if err := a.openKept(ctx); err != nil {
		return err
	}
	if err := a.restoreBreakers(ctx); err != nil {
		return err
	}
	a.noteEndpoints(ctx)
	directory, err := a.newDirectory(router)
	if err != nil {
		return err
	}
	links, err := a.links(ctx)
	if err != nil {
		return err
	}
	if a.reporter, err = a.newReporter(router); err != nil {
		return err
	}
	if a.dispatch, err = a.newDispatcher(router, sender, links); err != nil {
		return err
	}
	if a.auth, err = a.newChecker(); err != nil {
		return err
	}
	if a.gateway, err = a.newGateway(router, spooler, directory); err != nil {
		return err
	}
	if a.queue != nil {
		a.again = a.newSendAgain(router)
		a.worker = a.newWorker()
	}
	if err := a.smtpServer(); err != nil {
		return err
	}
	if err := a.opsServer(router, sender, links); err != nil {
		return err
	}
	return a.listen()
}

func (a *App) onClose(name string, undo func() error) {
	a.cleanups = append(a.cleanups, cleanup{name, undo})
}

// Close undoes what New did; after Run there is nothing left to refuse.
func (a *App) Close() error {
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
func (a *App) Addr(name string) string {
	for _, d := range a.listeners {
		if d.name == name {
			return d.Addr().String()
		}
	}
	if name == "HTTP_ADDR" && a.http != nil {
		return a.http.Addr().String()
	}
	return ""
}
