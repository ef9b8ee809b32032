package ops

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"postern/gateway/ops/page"
)

// authorized lets requests with the bearer token through. While there is no
// token, nothing is behind it.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := s.token()
		if token == "" {
			fail(w, http.StatusNotFound, "the API is off; set POSTERN_HTTP_TOKEN to turn it on")
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !page.SameSecret(strings.TrimSpace(given), token) {
			if given != "" {
				s.strangers.tell(s.deps.Logger, clientOf(r), s.deps.Now())
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="postern"`)
			fail(w, http.StatusUnauthorized, "the request needs the header Authorization: Bearer with the value of POSTERN_HTTP_TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// strangersEvery is how often wrong tokens are told of: who guesses must not fill
// the log.
const strangersEvery = time.Second

// strangers counts requests with a wrong token.
type strangers struct {
	mu    sync.Mutex
	told  time.Time
	count int // since then
}

// tell writes a line that a filter (fail2ban) finds the client in.
func (g *strangers) tell(log *slog.Logger, client string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count++; now.Sub(g.told) < strangersEvery {
		return
	}
	log.Warn("an API request had a wrong token", "client", client, "count", g.count)
	g.told, g.count = now, 0
}

// clientOf is the address that a request came from.
func clientOf(r *http.Request) string {
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return client
}

func (s *Server) token() string {
	if s.cfg.Token == nil {
		return ""
	}
	return s.cfg.Token().Reveal()
}
