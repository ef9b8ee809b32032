package ops

import (
	"net/http"
	"postern/gateway/ops/page"
	"strings"
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
			w.Header().Set("WWW-Authenticate", `Bearer realm="postern"`)
			fail(w, http.StatusUnauthorized, "the request needs the header Authorization: Bearer with the value of POSTERN_HTTP_TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) token() string {
	if s.cfg.Token == nil {
		return ""
	}
	return s.cfg.Token().Reveal()
}
