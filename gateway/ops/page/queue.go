package page

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"postern/gateway/ops/audit"
	"postern/gateway/ops/change"
	"postern/gateway/text"
	"postern/retry"
)

// listSize is how many deliveries a page of the queue has.
const listSize = 50

// retrySpread is how long a bulk retry is spread over, so that a webhook that
// has just come back isn't hit by all at once.
const retrySpread = time.Minute

type queueView struct {
	State, Endpoint, Reason, Recipient string
	Since                              string // of spans, or a time once it was confirmed
	Spans                              []string
	Endpoints, Reasons                 []string
	Found                              []retry.Info
	More                               string
	Matching                           int64 // deliveries that the filter's state and endpoint select; -1 where it isn't known
	Filter                             url.Values
	Here                               string            // this view with its filter
	Held                               map[string]string // why what is due isn't sent, by endpoint
}

// filterOf reads the filter of a view or an action.
func (p *Page) filterOf(form url.Values) (retry.Filter, error) {
	f := retry.Filter{IDs: form["id"], State: retry.State(form.Get("state")), Endpoint: form.Get("endpoint"), Reason: form.Get("reason"), Recipient: form.Get("recipient")}
	if !slices.Contains([]retry.State{"", retry.Due, retry.Leased, retry.Dead}, f.State) {
		return f, problem{http.StatusBadRequest, "The state is none that a delivery has."}
	}
	since, err := p.since(form.Get("since"))
	f.Since = since
	if err != nil {
		return f, err
	}
	return f, nil
}

// since reads how far back a filter goes: a span, or the time that a question has
// made of one.
func (p *Page) since(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return p.deps.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, problem{http.StatusBadRequest, "Since is a time such as 1h."}
	}
	return t, nil
}

// filterValues are the filter's own fields of a form.
func filterValues(form url.Values) url.Values {
	v := url.Values{}
	for _, k := range []string{"id", "state", "endpoint", "reason", "recipient", "since"} {
		for _, s := range form[k] {
			if s != "" {
				v.Add(k, s)
			}
		}
	}
	return v
}

func (p *Page) queue(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Queue == nil {
		return problem{http.StatusNotFound, "There is no queue: POSTERN_RETRY_STORE is off."}
	}
	form := r.URL.Query()
	f, err := p.filterOf(form)
	if err != nil {
		return err
	}
	v := queueView{State: string(f.State), Endpoint: f.Endpoint, Reason: f.Reason, Recipient: f.Recipient, Since: form.Get("since"), Spans: spans, Filter: filterValues(form)}
	v.Here = "/queue"
	if len(v.Filter) > 0 {
		v.Here += "?" + v.Filter.Encode()
	}
	found, next, err := p.deps.Queue.List(r.Context(), f, retry.Page{After: form.Get("after"), Size: listSize})
	if err != nil {
		return err
	}
	v.Found = found
	if next.After != "" {
		more := filterValues(form)
		more.Set("after", next.After)
		v.More = "/queue?" + more.Encode()
	}
	stats, err := p.deps.Queue.Stats(r.Context())
	if err != nil {
		return err
	}
	if v.Held, err = p.held(r.Context(), stats); err != nil {
		return err
	}
	v.Endpoints = slices.Sorted(keys(stats.Endpoints))
	v.Reasons = slices.Sorted(keys(stats.DeadByReason))
	p.show(w, r, http.StatusOK, "queue", "Queue", v)
	return nil
}

// held says of the endpoints that nothing goes to now why that is.
func (p *Page) held(ctx context.Context, stats retry.Stats) (map[string]string, error) {
	views, err := p.endpointViews(ctx, stats)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, v := range views {
		switch {
		case v.Paused:
			all[v.Name] = "once resumed"
		case !v.Configured:
			all[v.Name] = "never: the endpoint isn't configured"
		case v.State == retry.BreakerOpen:
			all[v.Name] = "once it works; tried " + until(v.Probe, p.deps.Now())
		}
	}
	return all, nil
}

// maxAudited is how much of a filter the audit's line has, in octets.
const maxAudited = 500

// action is what can be done with deliveries.
type action struct {
	Word, Title, Warning string
	state                retry.State // of what it can be done with; "" any
	did                  string
}

var actions = map[string]action{
	"retry":  {"Retry now", "Make waiting mail due now", "Each is tried within a minute.", retry.Due, audit.Retried},
	"replay": {"Replay", "Give dead letters a new life", "Each is due now and is tried as long as new mail.", retry.Dead, audit.Replayed},
	"delete": {"Delete", "Delete deliveries", "The messages are gone then; this can't be undone.", "", audit.Deleted},
}

type confirmView struct {
	Action, Title, Warning, Word string
	Count                        string
	Fields                       url.Values
	Back                         string
}

// queueAct asks first, with a count, and then does it.
func (p *Page) queueAct(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Queue == nil {
		return problem{http.StatusNotFound, "There is no queue: POSTERN_RETRY_STORE is off."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return problem{http.StatusBadRequest, "The form can't be read."}
	}
	if !plain(r.PostForm) {
		return problem{http.StatusBadRequest, "The form has what is no text."}
	}
	name := r.PostForm.Get("do")
	a, ok := actions[name]
	f, err := p.filterOf(r.PostForm)
	switch {
	case err != nil:
		return err
	case !ok:
		return problem{http.StatusBadRequest, "That is nothing that can be done."}
	case a.state != "" && f.State == "":
		f.State = a.state
	case a.state != "" && f.State != a.state:
		return problem{http.StatusBadRequest, a.Word + " is for deliveries of another state."}
	}
	fields := filterValues(r.PostForm)
	fields.Set("state", string(f.State))
	if !f.Since.IsZero() { // what is asked about is what is done
		fields.Set("since", f.Since.UTC().Format(time.RFC3339))
	}
	back := local(r.PostForm.Get("back"))
	if r.PostForm.Get("sure") != "yes" {
		count, err := p.count(r, f)
		if err != nil {
			return err
		}
		p.show(w, r, http.StatusOK, "confirm", a.Title, confirmView{name, a.Title, a.Warning, a.Word, count, fields, back})
		return nil
	}
	if f.Empty() {
		return retry.ErrNoFilter
	}
	who := p.who(r)
	req := change.Request{Verb: change.Verb(name), Filter: f, Spread: retrySpread, By: who.String()}
	if len(f.IDs) > 0 { // they were picked one by one
		req.Spread = 0
	}
	b, begun := p.begin(name, back, req, func(n int) {
		audit.Log(p.deps.Logger, who, a.did, n, slog.String("filter", text.Shorten(fields.Encode(), maxAudited)))
	})
	switch {
	case !begun:
		return problem{http.StatusConflict, "Another change is under way; see /queue/change."}
	case !b.soon(r.Context()):
		http.Redirect(w, r, "/queue/change", http.StatusSeeOther)
	case b.err != nil:
		return b.err
	default:
		http.Redirect(w, r, withDone(back, a.did, int(b.n.Load())), http.StatusSeeOther)
	}
	return nil
}

// countUp is how many deliveries are counted one by one for a question.
const countUp = 1000

// count says how many deliveries an action is about.
func (p *Page) count(r *http.Request, f retry.Filter) (string, error) {
	found, next, err := p.deps.Queue.List(r.Context(), f, retry.Page{Size: countUp})
	if err != nil {
		return "", err
	}
	switch {
	case next.After != "":
		return "more than " + strconv.Itoa(countUp) + " deliveries", nil
	case len(found) == 1:
		return "1 delivery", nil
	}
	return strconv.Itoa(len(found)) + " deliveries", nil
}

// withDone is the address to go back to, with what was done.
func withDone(back, did string, n int) string {
	u, err := url.Parse(back)
	if err != nil {
		return "/queue"
	}
	q := u.Query()
	q.Set("done", did)
	q.Set("n", strconv.Itoa(n))
	q.Del("after")
	u.RawQuery = q.Encode()
	return u.String()
}
