package ops

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"postern/gateway/text"
	"postern/retry"
)

// given is a field of a request that may be left out. One that is there and says
// nothing, such as an unset variable of a script, isn't the same: what it was to
// narrow down would be everything.
type given[T any] struct {
	is    bool
	value T
}

// UnmarshalJSON implements json.Unmarshaler; null says nothing.
func (g *given[T]) UnmarshalJSON(data []byte) error {
	*g = given[T]{is: true}
	return json.Unmarshal(data, &g.value)
}

// filter is retry.Filter as requests have it.
type filter struct {
	IDs       given[[]string]  `json:"ids"`
	MessageID given[string]    `json:"message_id"`
	State     given[string]    `json:"state"`
	Endpoint  given[string]    `json:"endpoint"`
	Recipient given[string]    `json:"recipient"`
	Reason    given[string]    `json:"reason"`
	Before    given[time.Time] `json:"before"` // received before
	Since     given[time.Time] `json:"since"`  // received then or later
	All       bool             `json:"all"`    // with no other field: everything
}

// one is the filter of a single delivery.
func one(id string) filter { return filter{IDs: given[[]string]{true, []string{id}}} }

func (f filter) retry() (retry.Filter, error) {
	switch retry.State(f.State.value) {
	case "", retry.Due, retry.Leased, retry.Dead:
	default:
		return retry.Filter{}, errors.New("state is due, leased or dead")
	}
	for _, field := range []struct {
		name  string
		empty bool
	}{
		{"ids", f.IDs.is && len(f.IDs.value) == 0}, {"message_id", f.MessageID.is && f.MessageID.value == ""}, {"state", f.State.is && f.State.value == ""},
		{"endpoint", f.Endpoint.is && f.Endpoint.value == ""}, {"recipient", f.Recipient.is && f.Recipient.value == ""},
		{"reason", f.Reason.is && f.Reason.value == ""}, {"before", f.Before.is && f.Before.value.IsZero()},
		{"since", f.Since.is && f.Since.value.IsZero()},
	} {
		if field.empty {
			return retry.Filter{}, errors.New(field.name + " is empty: say which, or leave it out")
		}
	}
	if !text.Storable(strings.Join(append([]string{f.MessageID.value, f.Endpoint.value, f.Recipient.value, f.Reason.value}, f.IDs.value...), "")) {
		return retry.Filter{}, errors.New("a value has a NUL in it")
	}
	return retry.Filter{IDs: f.IDs.value, MessageID: f.MessageID.value, State: retry.State(f.State.value), Endpoint: f.Endpoint.value,
		Recipient: f.Recipient.value, Reason: f.Reason.value, Before: f.Before.value, Since: f.Since.value, All: f.All}, nil
}

// queryFilter reads the filter and the page of a list's query.
func queryFilter(r *http.Request) (retry.Filter, retry.Page, error) {
	q := r.URL.Query()
	f := filter{IDs: given[[]string]{q.Has("id"), q["id"]}, MessageID: param(q, "message_id"), State: param(q, "state"), Endpoint: param(q, "endpoint"),
		Recipient: param(q, "recipient"), Reason: param(q, "reason")}
	page := retry.Page{After: q.Get("after")}
	for name, bound := range map[string]*given[time.Time]{"before": &f.Before, "since": &f.Since} {
		if !q.Has(name) {
			continue
		}
		t, err := time.Parse(time.RFC3339, q.Get(name))
		if err != nil {
			return retry.Filter{}, page, errors.New(name + " is a time such as 2006-01-02T15:04:05Z")
		}
		*bound = given[time.Time]{true, t}
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

func param(q url.Values, name string) given[string] { return given[string]{q.Has(name), q.Get(name)} }
