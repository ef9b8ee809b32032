package ops

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"postern/gateway/ops/audit"
	"postern/retry"
)

// status says who we are.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	ready, why := true, ""
	if err := s.deps.Ready(ctx); err != nil {
		ready, why = false, err.Error()
	}
	degraded := ""
	if err := s.deps.Degraded(ctx); err != nil {
		degraded = err.Error()
	}
	answer(w, http.StatusOK, struct {
		Version  string    `json:"version"`
		Started  time.Time `json:"started"`
		Now      time.Time `json:"now"`
		Ready    bool      `json:"ready"`
		Why      string    `json:"why,omitempty"`
		Queue    bool      `json:"queue"`
		Degraded string    `json:"degraded,omitempty"` // what is wrong with the store, or with the memory for mail
	}{s.cfg.Version, s.started, s.deps.Now(), ready, why, s.deps.Queue != nil, degraded})
}

// endpointAnswer is an endpoint, its breaker and what waits for it.
type endpointAnswer struct {
	Endpoint
	Configured  bool               `json:"configured"` // false: only the queue knows it
	Paused      bool               `json:"paused"`
	PausedUntil *time.Time         `json:"paused_until,omitempty"`
	Why         string             `json:"why,omitempty"`
	Breaker     retry.BreakerState `json:"breaker"`
	Since       *time.Time         `json:"breaker_since,omitempty"`
	NextProbe   *time.Time         `json:"next_probe,omitempty"`
	Failures    int                `json:"failures"`
	Waiting     countsAnswer       `json:"waiting"`
}

func (s *Server) endpoints(w http.ResponseWriter, r *http.Request) {
	all := map[string]*endpointAnswer{}
	order := map[string]int{}
	for i, e := range s.deps.Endpoints {
		all[e.Name] = &endpointAnswer{Endpoint: e, Configured: true, Breaker: retry.BreakerClosed}
		order[e.Name] = i - len(s.deps.Endpoints)
	}
	get := func(name string) *endpointAnswer {
		if all[name] == nil {
			all[name] = &endpointAnswer{Endpoint: Endpoint{Name: name}, Breaker: retry.BreakerClosed}
		}
		return all[name]
	}
	if err := s.addQueued(r.Context(), get); err != nil {
		s.failed(w, r, err)
		return
	}
	if s.deps.Breakers != nil {
		for _, b := range s.deps.Breakers.Snapshot() {
			e := get(b.Endpoint)
			e.Breaker, e.Failures, e.Since, e.NextProbe = b.State, b.Failures, timeOrNil(b.Since), timeOrNil(b.Until)
		}
	}
	list := make([]*endpointAnswer, 0, len(all))
	for _, e := range all {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *endpointAnswer) int {
		return cmp.Or(cmp.Compare(order[a.Name], order[b.Name]), cmp.Compare(a.Name, b.Name))
	})
	answer(w, http.StatusOK, map[string]any{"endpoints": list})
}

// addQueued adds what the queue knows of the endpoints.
func (s *Server) addQueued(ctx context.Context, get func(string) *endpointAnswer) error {
	if s.deps.Queue == nil {
		return nil
	}
	states, err := s.deps.Queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	for _, st := range states {
		e := get(st.Endpoint)
		e.Paused, e.PausedUntil, e.Why = st.Paused, timeOrNil(st.PausedUntil), st.Why
	}
	stats, err := s.deps.Queue.Stats(ctx)
	if err != nil {
		return err
	}
	for name, c := range stats.Endpoints {
		get(name).Waiting = countsAnswer(c)
	}
	return nil
}

// pause keeps an endpoint's mail waiting: {"until": time} or {"for": "2h"},
// neither: until it is resumed.
func (s *Server) pause(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Until time.Time `json:"until"`
		For   string    `json:"for"`
		Why   string    `json:"why"`
	}
	if !body(w, r, &req) || !s.known(w, r) {
		return
	}
	until, pause := req.Until, time.Duration(0)
	if req.For != "" {
		d, err := time.ParseDuration(req.For)
		if err != nil || d <= 0 {
			fail(w, http.StatusBadRequest, "for is a duration such as 30m or 2h")
			return
		}
		until = s.deps.Now().Add(d)
	}
	if !until.IsZero() {
		pause = max(until.Sub(s.deps.Now()), 1)
	}
	why := audit.Why(req.Why)
	if err := s.deps.Queue.Pause(r.Context(), r.PathValue("name"), pause, why); err != nil {
		s.failed(w, r, err)
		return
	}
	s.audit(r, audit.Paused, 1, slog.String("endpoint", r.PathValue("name")), timeIn(until), slog.String("why", why))
	answer(w, http.StatusOK, map[string]any{"paused": true, "until": timeOrNil(until)})
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) {
	if !s.known(w, r) {
		return
	}
	if err := s.deps.Queue.Resume(r.Context(), r.PathValue("name")); err != nil {
		s.failed(w, r, err)
		return
	}
	is := s.breaker(r.PathValue("name"))
	if is == retry.BreakerOpen { // its worker hears of it within a second
		is = retry.BreakerHalfOpen
	}
	s.audit(r, audit.Resumed, 1, slog.String("endpoint", r.PathValue("name")), slog.String("breaker", string(is)))
	answer(w, http.StatusOK, map[string]any{"paused": false, "breaker": is})
}

// breaker is the state of an endpoint's breaker.
func (s *Server) breaker(endpoint string) retry.BreakerState {
	if s.deps.Breakers != nil {
		for _, b := range s.deps.Breakers.Snapshot() {
			if b.Endpoint == endpoint {
				return b.State
			}
		}
	}
	return retry.BreakerClosed
}

// known says whether the path names an endpoint that is configured or that
// the queue has mail for; if not, it has answered.
func (s *Server) known(w http.ResponseWriter, r *http.Request) bool {
	name := r.PathValue("name")
	if s.configured(name) {
		return true
	}
	known := false
	err := s.addQueued(r.Context(), func(n string) *endpointAnswer {
		known = known || n == name
		return &endpointAnswer{}
	})
	if err != nil {
		s.failed(w, r, err)
		return false
	}
	if !known {
		fail(w, http.StatusNotFound, "there is no endpoint "+name)
	}
	return known
}
