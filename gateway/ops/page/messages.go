package page

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern/gateway/history"
)

type messagesView struct {
	Q, State, Since string
	States          []history.State
	Spans           []string
	Found           []history.Record
	More            string // the next page's address
	Filtered        bool
	Wrong           string // why the query can't be answered
	Keep            string // how long history goes back
}

// why is an error of a query in words of the page.
func why(err error) string {
	said := strings.TrimPrefix(err.Error(), history.ErrQuery.Error()+": ")
	return strings.ToUpper(said[:1]) + said[1:] + "."
}

// forHowLong is how long something is kept; "" where that isn't said.
func forHowLong(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return span(d)
}

// spans are how far back a search may be told to look.
var spans = []string{"1h", "24h", "72h"}

func (p *Page) messages(w http.ResponseWriter, r *http.Request) error {
	if p.deps.History == nil {
		return problem{http.StatusNotFound, "The history is off; set POSTERN_HISTORY to keep one."}
	}
	form := r.URL.Query()
	v := messagesView{Q: form.Get("q"), State: form.Get("state"), Since: form.Get("since"), States: history.States(), Spans: spans, Keep: forHowLong(p.cfg.History)}
	v.Filtered = v.Q != "" || v.State != "" || v.Since != ""
	q := history.Query{Words: v.Q, State: history.State(v.State), After: form.Get("after")}
	if d, err := time.ParseDuration(v.Since); err == nil {
		q.Since = p.deps.Now().Add(-d)
	}
	status := http.StatusOK
	if err := q.Check(); err != nil {
		v.Wrong, status = why(err), http.StatusBadRequest
	} else {
		var next string
		if v.Found, next, err = p.deps.History.Find(r.Context(), q); err != nil {
			return err
		}
		if next != "" {
			v.More = "/messages?" + url.Values{"q": {v.Q}, "state": {v.State}, "since": {v.Since}, "after": {next}}.Encode()
		}
	}
	p.show(w, r, status, "messages", "Messages", v)
	return nil
}
