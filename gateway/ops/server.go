package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern/gateway/archive"
	"postern/gateway/content"
	"postern/gateway/history"
	"postern/gateway/ops/change"
	"postern/gateway/ops/page"
	"postern/gateway/preview"
	"postern/retry"
	"postern/webhook"
)

// Limits of the HTTP server.
const (
	headerTimeout  = 10 * time.Second  // for a request's header
	requestTimeout = 30 * time.Second  // for a request's body
	answerTimeout  = 60 * time.Second  // for an answer but content, which renews it while it moves
	idleTimeout    = 120 * time.Second // of a connection between requests
	maxHeaderBytes = 32 << 10
	maxBodyBytes   = 1 << 20 // of an API request
)

// Endpoint is a configured endpoint as it may be shown: no secret is in it.
type Endpoint struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"` // redacted
	Format   string   `json:"format"`
	Match    []string `json:"match,omitempty"`
	Terminal bool     `json:"terminal,omitempty"`
}

// Config is what the operator decides.
type Config struct {
	Version string
	// Token opens the API and the page; nil, or while it is empty, they are off.
	Token webhook.SecretSource
	// History and Keep are how long history and delivered mail are kept, for the page.
	History, Keep time.Duration
	// Grace is how long requests under way may take after Serve's context ended.
	Grace time.Duration
}

// Deps are the parts that the server shows.
type Deps struct {
	Queue Queue // nil: there is no queue
	// Tell puts what an operator did to a delivery into the history; nil: there is
	// none.
	Tell func(a history.Attempt)
	// Messages is where stored messages are; nil: in the queue alone.
	Messages  archive.Messages
	Again     AgainSender // nil without a queue
	Forgetter Forgetter   // nil: there is nothing to forget
	// Preview is a stored mail's POST to an endpoint (preview.ErrEndpoint where
	// there is none of the name); nil: it isn't shown.
	Preview   func(m *archive.Mail, endpoint string, d preview.Delivery) (*webhook.Preview, error)
	Endpoints []Endpoint
	Breakers  interface{ Snapshot() []retry.BreakerInfo } // nil: none
	// Ready is nil while mail can be taken.
	Ready func(ctx context.Context) error
	// Degraded is why mail that must wait can't, while other mail is taken; nil:
	// nothing is wrong, or there is no store.
	Degraded func(ctx context.Context) error
	Gatherer prometheus.Gatherer
	Content  http.Handler // of /content/, nil: no content by url
	History  page.History // nil: there is none
	Live     *page.Live   // nil: nothing is counted by the minute
	// Try lets an endpoint's open breaker probe now; nil: it can't.
	Try    func(ctx context.Context, endpoint string) error
	Logger *slog.Logger
	Now    func() time.Time
}

// Server answers HTTP_ADDR.
type Server struct {
	cfg     Config
	deps    Deps
	started time.Time
	change  *change.Changer // nil without a queue
	page    *page.Page
	handler http.Handler

	strangers strangers
}

// New wires a server; it starts nothing.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Ready == nil || deps.Gatherer == nil {
		return nil, errors.New("ops: a readiness check and a metrics gatherer are needed")
	}
	if deps.Degraded == nil {
		deps.Degraded = func(context.Context) error { return nil }
	}
	if deps.Messages == nil && deps.Queue != nil {
		deps.Messages = deps.Queue
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Server{cfg: cfg, deps: deps, started: deps.Now()}
	if deps.Queue != nil {
		s.change = change.New(deps.Queue, deps.Tell, deps.Now)
	}
	var err error
	if s.page, err = s.newPage(); err != nil {
		return nil, err
	}
	if s.handler, err = s.routes(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler answers all paths.
func (s *Server) Handler() http.Handler { return s.handler }

// newPage makes the operator's page.
func (s *Server) newPage() (*page.Page, error) {
	d := page.Deps{Token: s.token, History: s.deps.History, Breakers: s.deps.Breakers, Ready: s.deps.Ready, Degraded: s.deps.Degraded, Live: s.deps.Live,
		Logger: s.deps.Logger, Now: s.deps.Now}
	if s.deps.Queue != nil {
		d.Queue, d.Messages, d.Preview, d.Change = s.deps.Queue, s.deps.Messages, s.deps.Preview, s.change
	}
	if s.deps.Again != nil {
		d.Again = s.deps.Again
	}
	for _, e := range s.deps.Endpoints {
		d.Endpoints = append(d.Endpoints, page.Endpoint{Name: e.Name, URL: e.URL, Format: e.Format, Match: e.Match, Terminal: e.Terminal})
	}
	return page.New(page.Config{Version: s.cfg.Version, History: s.cfg.History, Keep: s.cfg.Keep}, d)
}

func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.live)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: requestTimeout,
		ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.Handle("/api/v1/", s.authorized(s.api()))
	if err := s.page.Register(mux); err != nil {
		return nil, err
	}
	if s.deps.Content != nil {
		mux.Handle(content.Path, s.deps.Content)
	}
	return guard(mux), nil
}

// guard sets the headers that every answer has.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Serve answers on ln until ctx ends, then lets requests under way finish
// within the grace. End ctx after the SMTP listeners have drained, so that
// /readyz says so as long as there is anybody to ask.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: answerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ConnState: newConnections(maxConnections, s.deps.Now).watch,
		ErrorLog: slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("ops: the HTTP listener %s failed: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.page.Close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(s.cfg.Grace, time.Second))
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		s.deps.Logger.Warn("HTTP requests were cut short by the shutdown", "err", err)
		srv.Close()
	}
	<-ended
	return nil
}
