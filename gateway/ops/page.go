package ops

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed assets
var assets embed.FS

// pagePolicy lets the page load its own two files and ask our API, nothing
// else: what a mail says can't become script.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page routes the operator's page. It holds no data: its script asks the API
// with the token that the operator enters.
func (s *Server) page(mux *http.ServeMux) {
	t := template.Must(template.ParseFS(assets, "assets/page.html"))
	mux.HandleFunc("GET /{$}", s.whileOn(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := t.Execute(w, struct{ Version string }{s.cfg.Version}); err != nil {
			s.deps.Logger.Debug("the page was cut short", "err", err)
		}
	}))
	for _, name := range []string{"page.css", "page.js"} { // each by its name: there is no listing
		mux.HandleFunc("GET /assets/"+name, s.whileOn(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, assets, "assets/"+name)
		}))
	}
}

// whileOn answers 404 while there is no token.
func (s *Server) whileOn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.token() == "" {
			plain(w, http.StatusNotFound, "the page is off; set POSTERN_HTTP_TOKEN to turn it on")
			return
		}
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		next(w, r)
	}
}
