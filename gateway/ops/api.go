package ops

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/retry"
)

// maxPage is the most that a list answers at once.
const maxPage = 1000

// api routes the operator's requests. Every answer is JSON, but a message.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", s.status)
	mux.HandleFunc("GET /api/v1/recent", s.recent)
	mux.HandleFunc("GET /api/v1/endpoints", s.endpoints)
	mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path)
	})
	queue := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if s.deps.Queue == nil {
				fail(w, http.StatusNotFound, "there is no queue: POSTERN_RETRY_STORE is off")
				return
			}
			h(w, r)
		})
	}
	queue("GET /api/v1/stats", s.stats)
	queue("GET /api/v1/deliveries", s.list)
	queue("GET /api/v1/deliveries/{id}", s.show)
	queue("DELETE /api/v1/deliveries/{id}", s.deleteOne)
	queue("POST /api/v1/deliveries/{id}/replay", s.replayOne)
	queue("POST /api/v1/deliveries/{id}/retry", s.retryOne)
	queue("GET /api/v1/deliveries/{id}/message", s.exportDelivery)
	queue("GET /api/v1/messages/{id}", s.exportMessage)
	queue("POST /api/v1/replay", s.replay)
	queue("POST /api/v1/retry", s.retry)
	queue("POST /api/v1/delete", s.delete)
	queue("POST /api/v1/endpoints/{name}/pause", s.pause)
	queue("POST /api/v1/endpoints/{name}/resume", s.resume)
	return mux
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(true)
	enc.Encode(v)
}

// fail writes an error: {"error": "what, and what to do"}.
func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}

// failed answers with what the queue said.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, retry.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, retry.ErrNoFilter):
		status = http.StatusBadRequest
	case errors.Is(err, retry.ErrLeaseLost):
		status = http.StatusConflict
	case errors.Is(err, retry.ErrFull):
		status = http.StatusInsufficientStorage
	case errors.Is(err, retry.ErrUnhealthy):
		status = http.StatusServiceUnavailable
	}
	if status >= 500 {
		s.deps.Logger.Error("an API request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	fail(w, status, err.Error())
}

// filter is retry.Filter as requests have it.
type filter struct {
	IDs       []string  `json:"ids"`
	MessageID string    `json:"message_id"`
	State     string    `json:"state"`
	Endpoint  string    `json:"endpoint"`
	Recipient string    `json:"recipient"`
	Reason    string    `json:"reason"`
	Before    time.Time `json:"before"` // received before
	All       bool      `json:"all"`    // with no other field: everything
}

func (f filter) retry() (retry.Filter, error) {
	switch retry.State(f.State) {
	case "", retry.Due, retry.Leased, retry.Dead:
	default:
		return retry.Filter{}, errors.New("state is due, leased or dead")
	}
	return retry.Filter{IDs: f.IDs, MessageID: f.MessageID, State: retry.State(f.State), Endpoint: f.Endpoint,
		Recipient: f.Recipient, Reason: f.Reason, Before: f.Before, All: f.All}, nil
}

// queryFilter reads the filter and the page of a list's query.
func queryFilter(r *http.Request) (retry.Filter, retry.Page, error) {
	q := r.URL.Query()
	f := filter{IDs: q["id"], MessageID: q.Get("message_id"), State: q.Get("state"), Endpoint: q.Get("endpoint"),
		Recipient: q.Get("recipient"), Reason: q.Get("reason")}
	page := retry.Page{After: q.Get("after")}
	if s := q.Get("before"); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return retry.Filter{}, page, errors.New("before is a time such as 2006-01-02T15:04:05Z")
		}
		f.Before = t
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return retry.Filter{}, page, errors.New("limit is a number from 1 to " + strconv.Itoa(maxPage))
		}
		page.Size = n
	}
	rf, err := f.retry()
	return rf, page, err
}

// body reads a JSON request; an empty one leaves v as it is.
func body(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil && dec.More() {
		err = errors.New("more than one JSON value")
	}
	if err == nil || errors.Is(err, io.EOF) {
		return true
	}
	fail(w, http.StatusBadRequest, "the request's body can't be read: "+strings.TrimPrefix(err.Error(), "json: "))
	return false
}
