package ops

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"postern/gateway/ops/audit"
	"postern/gateway/text"
	"postern/retry"
)

// who is the operator of an API request.
func (s *Server) who(r *http.Request) audit.Who {
	return audit.Who{Via: audit.API, By: audit.Fingerprint("token", s.token()), Client: clientOf(r)}
}

// audit tells what a request changed.
func (s *Server) audit(r *http.Request, did string, count int, what ...slog.Attr) {
	audit.Log(s.deps.Logger, s.who(r), did, count, what...)
}

// maxAudited is how much of a list of ids a line has, in octets.
const maxAudited = 500

// selected is a filter in an audit's line; what it leaves open isn't there.
func selected(f retry.Filter) []slog.Attr {
	var attrs []slog.Attr
	for _, a := range []struct{ name, value string }{{"ids", strings.Join(f.IDs, " ")}, {"message", f.MessageID}, {"state", string(f.State)}, {"endpoint", f.Endpoint},
		{"recipient", f.Recipient}, {"reason", f.Reason}} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, text.Shorten(a.value, maxAudited)))
		}
	}
	if !f.Before.IsZero() {
		attrs = append(attrs, slog.Time("before", f.Before))
	}
	if !f.Since.IsZero() {
		attrs = append(attrs, slog.Time("since", f.Since))
	}
	return append(attrs, slog.Bool("all", f.All))
}

// dryRun reads the parameter; if it can't, it has answered. One without a value is
// no answer to whether something may be changed.
func dryRun(w http.ResponseWriter, r *http.Request) (dry, ok bool) {
	q := r.URL.Query()
	switch v := q.Get("dry_run"); {
	case v == "true":
		return true, true
	case v == "false", !q.Has("dry_run"):
		return false, true
	}
	fail(w, http.StatusBadRequest, "dry_run is true or false")
	return false, false
}

// dryAnswer says what a request would have done.
type dryAnswer struct {
	DryRun bool `json:"dry_run"`
	Count  int  `json:"count"`
}

// timeIn is a point in time that a request may leave out.
func timeIn(t time.Time) slog.Attr {
	if t.IsZero() {
		return slog.String("until", "")
	}
	return slog.Time("until", t)
}
