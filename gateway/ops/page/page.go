// Package page is the operator's desk in a browser: what arrived, what each
// webhook answered, what waits and why, and the few things to do about it.
//
// Every view is HTML from the server and works without JavaScript; one small
// script keeps an open view up to date. Nothing is loaded from another host,
// and what a mail says is never markup of ours: its HTML is shown in a
// sandboxed frame that may load nothing. Who signs in with the token gets a
// session that ends and is not the token; while there is no token, there is no
// page.
package page

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/gateway/archive"
	"postern/gateway/history"
	"postern/gateway/ops/change"
	"postern/gateway/preview"
	"postern/gateway/text"
	"postern/retry"
	"postern/webhook"
)

//go:embed assets
var assets embed.FS

// Queue is what the page calls of the store.
type Queue interface {
	retry.Operator
	retry.Messages
	Endpoints(ctx context.Context) ([]retry.EndpointState, error)
	Pause(ctx context.Context, endpoint string, d time.Duration, why string) error
	Resume(ctx context.Context, endpoint string) error
}

// History finds what became of messages.
type History interface {
	Find(ctx context.Context, q history.Query) ([]history.Record, string, error)
	Get(ctx context.Context, id string) (history.Record, error)
}

// Endpoint is a configured endpoint as it may be shown: no secret is in it.
type Endpoint struct {
	Name, URL, Format string
	Match             []string
	Terminal          bool // a live channel, which nothing can be sent to again
}

// Config is the operator's.
type Config struct {
	Version string
	History time.Duration // how long history is kept; 0: nobody says
	Keep    time.Duration // how long delivered mail is; 0: it isn't
}

// Deps are the parts that the page shows.
type Deps struct {
	Token    func() string // "" while the page is off
	Queue    Queue         // nil: there is no queue
	Messages archive.Messages
	Change   *change.Changer // nil without a queue
	Again    AgainSender     // nil without a queue
	// Preview is a stored mail's POST to an endpoint; nil: it isn't shown.
	Preview   func(m *archive.Mail, endpoint string, d preview.Delivery) (*webhook.Preview, error)
	History   History // nil: it is off
	Endpoints []Endpoint
	Breakers  interface{ Snapshot() []retry.BreakerInfo }
	Degraded  func(ctx context.Context) error // why mail that must wait can't; never nil
	Ready     func(ctx context.Context) error
	Live      *Live
	Logger    *slog.Logger
	Now       func() time.Time
}

// Page answers the paths that aren't the API's.
type Page struct {
	cfg   Config
	deps  Deps
	views views
	ended chan struct{} // closed when streams must end
	tries chan struct{} // sign-ins under way
	bulks bulks
}

// New returns the page; Close ends its streams.
func New(cfg Config, deps Deps) (*Page, error) {
	v, err := parseViews()
	if err != nil {
		return nil, err
	}
	return &Page{cfg: cfg, deps: deps, views: v, ended: make(chan struct{}), tries: make(chan struct{}, maxTries)}, nil
}

// Close ends the streams of open views and what is being changed, so that a
// server can shut down.
func (p *Page) Close() {
	close(p.ended)
	p.bulks.wg.Wait()
}

// Register adds the page's paths.
func (p *Page) Register(mux *http.ServeMux) error {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return err
	}
	for _, name := range []string{"page.css", "page.js"} {
		mux.HandleFunc("GET /assets/"+name, p.whileOn(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		}))
	}
	sameOrigin := http.NewCrossOriginProtection()
	post := func(pattern string, h http.HandlerFunc) {
		mux.Handle("POST "+pattern, sameOrigin.Handler(p.whileOn(h)))
	}
	view := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc("GET "+pattern, p.whileOn(p.signedIn(p.try(h))))
	}
	act := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		post(pattern, p.signedIn(p.try(h)))
	}
	mux.HandleFunc("GET /signin", p.whileOn(p.signInForm))
	post("/signin", p.signIn)
	post("/signout", p.signOut)
	view("/{$}", p.overview)
	view("/messages", p.messages)
	view("/messages/{id}", p.message)
	view("/messages/{id}/html", p.messageHTML)
	view("/messages/{id}/raw", p.messageRaw)
	view("/messages/{id}/source", p.messageSource)
	view("/messages/{id}/attachments/{n}", p.attachment)
	view("/messages/{id}/request", p.request)
	view("/messages/{id}/request/body", p.requestBody)
	view("/queue", p.queue)
	view("/queue/change", p.bulkProgress)
	view("/endpoints", p.endpoints)
	view("/events", p.events)
	act("/messages/{id}", p.messageAct)
	act("/queue", p.queueAct)
	act("/endpoints/{name}", p.endpointAct)
	return nil
}

// policy lets a view load our two files and talk to us, nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// whileOn answers 404 while there is no token.
func (p *Page) whileOn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if p.deps.Token() == "" {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("the page is off; set POSTERN_HTTP_TOKEN to turn it on\n"))
			return
		}
		next(w, r)
	}
}

// problem is an error that says what the person sees.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

// try shows a handler's error as a page.
func (p *Page) try(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := error(problem{http.StatusNotFound, "Nothing is called so."})
		if text.Storable(r.URL.Path) && plain(r.URL.Query()) {
			err = h(w, r)
		}
		if err == nil || r.Context().Err() != nil {
			return
		}
		var known problem
		switch {
		case errors.As(err, &known):
		case errors.Is(err, history.ErrNotFound), errors.Is(err, retry.ErrNotFound):
			known = problem{http.StatusNotFound, "Nothing is known of this message. It may be older than the history, or have left the queue."}
		case errors.Is(err, history.ErrAmbiguous), errors.Is(err, history.ErrQuery), errors.Is(err, retry.ErrNoFilter), errors.Is(err, retry.ErrPage):
			known = problem{http.StatusBadRequest, why(err)}
		case errors.Is(err, retry.ErrFull):
			known = problem{http.StatusInsufficientStorage, "The queue is full: " + err.Error() + ". It has room again once mail was delivered or deleted."}
		case errors.Is(err, retry.ErrCorrupt):
			p.deps.Logger.Error("a stored message is damaged", "path", r.URL.Path, "err", err)
			known = problem{http.StatusInternalServerError, "The stored message is damaged: " + err.Error() + ". The export of what is left is GET /api/v1/messages/ID/raw?damaged=true."}
		default:
			p.deps.Logger.Error("a page can't be shown", "path", r.URL.Path, "err", err)
			known = problem{http.StatusServiceUnavailable, "The store doesn't answer: " + err.Error()}
		}
		p.show(w, r, known.status, "problem", "Not possible", known.text)
	}
}

// plain reports whether every value is text that a store can look for.
func plain(form url.Values) bool {
	for _, values := range form {
		if !text.Storable(strings.Join(values, "")) {
			return false
		}
	}
	return true
}
