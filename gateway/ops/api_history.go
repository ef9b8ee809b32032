package ops

import (
	"net/http"
	"strconv"
	"time"

	"postern/gateway/history"
)

// messages lists what became of messages, newest first.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	q := history.Query{Words: form.Get("q"), Address: form.Get("address"), State: history.State(form.Get("state")), After: form.Get("after")}
	for _, bound := range []struct {
		name string
		to   *time.Time
	}{{"since", &q.Since}, {"until", &q.Until}} {
		value := form.Get(bound.name)
		if value == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			fail(w, http.StatusBadRequest, bound.name+" is a time such as 2006-01-02T15:04:05Z")
			return
		}
		*bound.to = t
	}
	if value := form.Get("limit"); value != "" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > history.MaxLimit {
			fail(w, http.StatusBadRequest, "limit is a number from 1 to "+strconv.Itoa(history.MaxLimit))
			return
		}
		q.Limit = n
	}
	found, next, err := s.deps.History.Find(r.Context(), q)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	list := make([]messageAnswer, len(found))
	for i := range found {
		list[i] = messageAnswer{found[i], found[i].Became()}
	}
	answer(w, http.StatusOK, struct {
		Messages []messageAnswer `json:"messages"`
		Next     string          `json:"next,omitempty"` // "after" of the next page
	}{list, next})
}

// messageAnswer is history.Record as answers have it.
type messageAnswer struct {
	history.Record
	Became string `json:"became"`
}

// story is one message with all of its attempts, by its id or the beginning of
// it.
func (s *Server) story(w http.ResponseWriter, r *http.Request) {
	record, err := s.deps.History.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, messageAnswer{record, record.Became()})
}
