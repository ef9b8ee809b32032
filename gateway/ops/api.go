package ops

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/gateway/again"
	"postern/gateway/history"
	"postern/gateway/text"
	"postern/retry"
)

// maxPage is the most that a list answers at once.
const maxPage = 1000

// route is one request of the API.
type route struct {
	pattern string
	handler http.HandlerFunc
	needs   need
	query   []string // the parameters that it takes
}

// need is what a request can't be answered without.
type need uint8

const (
	nothing need = iota
	theQueue
	theHistory
)

// deliveryFilter are the parameters that select deliveries.
var deliveryFilter = []string{"id", "message_id", "state", "endpoint", "recipient", "reason", "before", "since", "after", "limit"}

func (s *Server) apiRoutes() []route {
	return []route{
		{"GET /api/v1/status", s.status, nothing, nil},
		{"GET /api/v1/openapi.json", s.openAPI, nothing, nil},
		{"GET /api/v1/endpoints", s.endpoints, nothing, nil},
		{"GET /api/v1/messages", s.messages, theHistory, []string{"q", "address", "state", "since", "until", "after", "limit"}},
		{"GET /api/v1/messages/{id}", s.story, theHistory, nil},
		{"GET /api/v1/messages/{id}/raw", s.exportMessage, theQueue, []string{"damaged"}},
		{"POST /api/v1/messages/{id}/send", s.sendAgain, theQueue, nil},
		{"POST /api/v1/forget", s.forget, nothing, []string{"dry_run"}},
		{"GET /api/v1/stats", s.stats, theQueue, nil},
		{"GET /api/v1/deliveries", s.list, theQueue, deliveryFilter},
		{"GET /api/v1/deliveries/{id}", s.show, theQueue, nil},
		{"DELETE /api/v1/deliveries/{id}", s.deleteOne, theQueue, nil},
		{"POST /api/v1/deliveries/{id}/replay", s.replayOne, theQueue, nil},
		{"POST /api/v1/deliveries/{id}/retry", s.retryOne, theQueue, nil},
		{"GET /api/v1/deliveries/{id}/request", s.nextRequest, theQueue, nil},
		{"GET /api/v1/deliveries/{id}/request/body", s.nextRequestBody, theQueue, nil},
		{"GET /api/v1/deliveries/{id}/message", s.exportDelivery, theQueue, []string{"damaged"}},
		{"POST /api/v1/replay", s.replay, theQueue, []string{"dry_run"}},
		{"POST /api/v1/retry", s.retry, theQueue, []string{"dry_run"}},
		{"POST /api/v1/delete", s.delete, theQueue, []string{"dry_run"}},
		{"POST /api/v1/endpoints/{name}/pause", s.pause, theQueue, nil},
		{"POST /api/v1/endpoints/{name}/resume", s.resume, theQueue, nil},
	}
}

// api routes the operator's requests. Every answer is JSON, but a message;
// every error a problem (RFC 9457).
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.apiRoutes() {
		mux.HandleFunc(r.pattern, s.checked(r))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		if allow := allowed(mux, r); allow != "" {
			w.Header().Set("Allow", allow)
			fail(w, http.StatusMethodNotAllowed, r.URL.Path+" takes "+allow)
			return
		}
		fail(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path)
	})
}

// checked refuses a request that lacks what it needs, or says what nobody
// would look at.
func (s *Server) checked(to route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case to.needs == theQueue && s.deps.Queue == nil:
			fail(w, http.StatusNotFound, "there is no queue: POSTERN_RETRY_STORE is off")
			return
		case to.needs == theHistory && s.deps.History == nil:
			fail(w, http.StatusNotFound, "there is no history: POSTERN_HISTORY is 0")
			return
		}
		query, err := url.ParseQuery(r.URL.RawQuery) // what it can't read, Query leaves out
		if err != nil {
			fail(w, http.StatusBadRequest, "the query can't be read: "+err.Error())
			return
		}
		if !text.Storable(r.PathValue("id")) || !text.Storable(r.PathValue("name")) {
			fail(w, http.StatusNotFound, "nothing is called so")
			return
		}
		for name, values := range query {
			if !slices.Contains(to.query, name) {
				known := "none"
				if len(to.query) > 0 {
					known = strings.Join(to.query, ", ")
				}
				fail(w, http.StatusBadRequest, "there is no parameter "+strconv.Quote(text.Clip(name, 40))+" here; known: "+known)
				return
			}
			if !text.Storable(strings.Join(values, "")) {
				fail(w, http.StatusBadRequest, name+" is no text")
				return
			}
			if len(values) > 1 && name != "id" {
				fail(w, http.StatusBadRequest, name+" is there more than once")
				return
			}
		}
		to.handler(w, r)
	}
}

// allowed lists the methods that the path takes.
func allowed(mux *http.ServeMux, r *http.Request) string {
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "" {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ", ")
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(true)
	enc.Encode(v)
}

// problem is an error (RFC 9457); detail says what, and what to do.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// fail writes an error.
func fail(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{http.StatusText(status), status, detail})
}

// failed answers with what the queue said.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, retry.ErrNotFound), errors.Is(err, history.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, retry.ErrNoFilter), errors.Is(err, retry.ErrPage), errors.Is(err, history.ErrQuery), errors.Is(err, again.ErrRequest):
		status = http.StatusBadRequest
	case errors.Is(err, retry.ErrLeaseLost), errors.Is(err, history.ErrAmbiguous), errors.Is(err, again.ErrWaits):
		status = http.StatusConflict
	case errors.Is(err, retry.ErrFull):
		status = http.StatusInsufficientStorage
	case errors.Is(err, retry.ErrUnhealthy), errors.Is(err, retry.ErrBusy):
		status = http.StatusServiceUnavailable
	}
	if status >= 500 {
		s.deps.Logger.Error("an API request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	fail(w, status, err.Error())
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
