package ops

import (
	"log/slog"
	"net/http"
	"time"

	"postern/gateway/ops/audit"
	"postern/gateway/ops/change"
	"postern/retry"
)

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	f, page, err := queryFilter(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	infos, next, err := s.deps.Queue.List(r.Context(), f, page)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if infos == nil {
		infos = []retry.Info{}
	}
	answer(w, http.StatusOK, struct {
		Deliveries []retry.Info `json:"deliveries"`
		Next       string       `json:"next,omitempty"` // "after" of the next page
	}{infos, next.After})
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	info, attempts, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	list := make([]attemptAnswer, len(attempts))
	for i, a := range attempts {
		list[i] = attemptAnswer{a.N, a.At, a.Status, a.Took.Milliseconds(), a.Reason, a.Error}
	}
	answer(w, http.StatusOK, struct {
		Delivery retry.Info      `json:"delivery"`
		Attempts []attemptAnswer `json:"attempts"`
	}{info, list})
}

// attemptAnswer is retry.PastAttempt as answers have it.
type attemptAnswer struct {
	N      int       `json:"n"`
	At     time.Time `json:"at"`
	Status int       `json:"status,omitempty"`
	TookMS int64     `json:"took_ms"`
	Reason string    `json:"reason"`
	Error  string    `json:"error,omitempty"`
}

// replayRequest says which dead letters live again, where to, and when.
type replayRequest struct {
	filter
	To  string    `json:"to"`  // another endpoint; "" the same
	Due time.Time `json:"due"` // absent: now
}

func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	var req replayRequest
	if body(w, r, &req) {
		s.doReplay(w, r, req)
	}
}

func (s *Server) replayOne(w http.ResponseWriter, r *http.Request) {
	var req replayRequest
	if !body(w, r, &req) {
		return
	}
	info, _, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if info.State != retry.Dead {
		fail(w, http.StatusConflict, "the delivery is "+string(info.State)+"; only a dead letter can be replayed")
		return
	}
	req.filter = one(info.ID)
	s.doReplay(w, r, req)
}

func (s *Server) doReplay(w http.ResponseWriter, r *http.Request, req replayRequest) {
	f, err := req.filter.retry()
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if req.To != "" && !s.configured(req.To) {
		fail(w, http.StatusBadRequest, "there is no endpoint "+req.To)
		return
	}
	wait := time.Duration(0)
	if !req.Due.IsZero() {
		wait = max(req.Due.Sub(s.deps.Now()), 0)
	}
	s.do(w, r, change.Request{Verb: change.Replay, Filter: f, To: req.To, Wait: wait}, audit.Replayed, "replayed", slog.String("to", req.To))
}

// retryRequest says which waiting deliveries are due now, and over how long
// they are spread.
type retryRequest struct {
	filter
	Spread string `json:"spread"` // a duration; absent: all at once
}

func (s *Server) retry(w http.ResponseWriter, r *http.Request) {
	var req retryRequest
	if body(w, r, &req) {
		s.doRetry(w, r, req)
	}
}

func (s *Server) retryOne(w http.ResponseWriter, r *http.Request) {
	info, _, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if info.State == retry.Dead {
		fail(w, http.StatusConflict, "the delivery is a dead letter; replay it")
		return
	}
	s.doRetry(w, r, retryRequest{filter: one(info.ID)})
}

func (s *Server) doRetry(w http.ResponseWriter, r *http.Request, req retryRequest) {
	f, err := req.filter.retry()
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	spread := time.Duration(0)
	if req.Spread != "" {
		if spread, err = time.ParseDuration(req.Spread); err != nil || spread < 0 {
			fail(w, http.StatusBadRequest, "spread is a duration such as 30s or 5m")
			return
		}
	}
	s.do(w, r, change.Request{Verb: change.Retry, Filter: f, Spread: spread}, audit.Retried, "due", slog.Duration("spread", spread))
}

// do makes a change, or answers how many deliveries it would change, and counts
// them in the answer under a name.
func (s *Server) do(w http.ResponseWriter, r *http.Request, req change.Request, did, counted string, what ...slog.Attr) {
	dry, ok := dryRun(w, r)
	if !ok {
		return
	}
	if dry {
		n, err := s.change.Count(r.Context(), req)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		answer(w, http.StatusOK, dryAnswer{true, n})
		return
	}
	req.By = s.who(r).String()
	still := http.NewResponseController(w)
	n, err := s.change.Do(r.Context(), req, func(int) { _ = still.SetWriteDeadline(time.Now().Add(answerTimeout)) })
	if n > 0 || err == nil {
		s.audit(r, did, n, append(selected(req.Filter), what...)...)
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]int{counted: n})
}

func (s *Server) configured(endpoint string) bool {
	for _, e := range s.deps.Endpoints {
		if e.Name == endpoint {
			return true
		}
	}
	return false
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request) {
	var req filter
	if body(w, r, &req) {
		s.doDelete(w, r, req)
	}
}

func (s *Server) deleteOne(w http.ResponseWriter, r *http.Request) {
	info, _, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if info.State == retry.Leased {
		fail(w, http.StatusConflict, "the delivery is being attempted now; pause its endpoint and try again")
		return
	}
	s.doDelete(w, r, one(info.ID))
}

func (s *Server) doDelete(w http.ResponseWriter, r *http.Request, req filter) {
	f, err := req.retry()
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	s.do(w, r, change.Request{Verb: change.Delete, Filter: f}, audit.Deleted, "deleted")
}

func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	st, err := s.deps.Queue.Stats(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, StatsJSON(st))
}

// statsAnswer is retry.Stats as answers have it.
type statsAnswer struct {
	Bytes       int64                   `json:"bytes"`
	MaxBytes    int64                   `json:"max_bytes"`
	Messages    int64                   `json:"messages"`
	MaxMessages int64                   `json:"max_messages"`
	Endpoints   map[string]countsAnswer `json:"endpoints"`
	OldestDue   *time.Time              `json:"oldest_due"` // when it was received; null: nothing waits
	Dead        map[string]int64        `json:"dead_by_reason"`
	Aside       int64                   `json:"set_aside"` // files that the store set aside because it was damaged
}

type countsAnswer struct {
	Due    int64 `json:"due"`
	Leased int64 `json:"leased"`
	Dead   int64 `json:"dead"`
}

// StatsJSON is the queue's counts as answers have them.
func StatsJSON(st retry.Stats) any {
	a := statsAnswer{Bytes: st.Bytes, MaxBytes: st.MaxBytes, Messages: st.Messages, MaxMessages: st.MaxMessages,
		Endpoints: map[string]countsAnswer{}, OldestDue: timeOrNil(st.OldestDue), Dead: st.DeadByReason, Aside: st.Aside}
	for name, c := range st.Endpoints {
		a.Endpoints[name] = countsAnswer(c)
	}
	if a.Dead == nil {
		a.Dead = map[string]int64{}
	}
	return a
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
