package ops

import (
	"context"
	"io"
	"net/http"
	"time"
)

// readyTimeout bounds a readiness check, below the probe's own time-out.
const readyTimeout = 3 * time.Second

// live says that the process answers. It asks nothing else: a webhook or a
// queue in trouble must not have the process restarted.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

// ready says whether mail can be taken now, and why not. A degraded store is no
// reason to send the mail elsewhere, as long as it isn't needed.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.deps.Ready(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	if err := s.deps.Degraded(ctx); err != nil {
		plain(w, http.StatusOK, "ready, but degraded: "+err.Error())
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}
