package page

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/gateway/ops/audit"
	"postern/gateway/text"
	"postern/retry"
)

type endpointsView struct {
	List  []endpointView
	Queue bool
}

func (p *Page) endpoints(w http.ResponseWriter, r *http.Request) error {
	var stats retry.Stats
	var err error
	if p.deps.Queue != nil {
		if stats, err = p.deps.Queue.Stats(r.Context()); err != nil {
			return err
		}
	}
	list, err := p.endpointViews(r.Context(), stats)
	if err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "endpoints", "Endpoints", endpointsView{list, p.deps.Queue != nil})
	return nil
}

// endpointAct pauses an endpoint, resumes it, or lets it be tried now.
func (p *Page) endpointAct(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Queue == nil {
		return problem{http.StatusNotFound, "There is no queue: POSTERN_RETRY_STORE is off."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name := r.PathValue("name")
	stats, err := p.deps.Queue.Stats(r.Context())
	if err != nil {
		return err
	}
	list, err := p.endpointViews(r.Context(), stats)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(v endpointView) bool { return v.Name == name }) {
		return problem{http.StatusNotFound, "There is no endpoint " + text.Clip(name, 80) + "."}
	}
	did := ""
	switch r.PostFormValue("do") {
	case "pause":
		d := time.Duration(0)
		if s := strings.TrimSpace(r.PostFormValue("for")); s != "" {
			if d, err = time.ParseDuration(s); err != nil || d <= 0 {
				return problem{http.StatusBadRequest, "A pause lasts a time such as 30m or 2h, or until it is resumed."}
			}
		}
		why := audit.Why(r.PostFormValue("why"))
		did, err = audit.Paused, p.deps.Queue.Pause(r.Context(), name, d, cmp.Or(why, "by an operator"))
	case "resume":
		did, err = audit.Resumed, p.deps.Queue.Resume(r.Context(), name)
	case "try": // the store wakes the breaker of whoever delivers there
		did, err = "probed", p.deps.Queue.Resume(r.Context(), name)
	default:
		return problem{http.StatusBadRequest, "That is nothing that can be done."}
	}
	if err != nil {
		return err
	}
	audit.Log(p.deps.Logger, p.who(r), did, 1, slog.String("endpoint", name))
	http.Redirect(w, r, "/endpoints?done="+did, http.StatusSeeOther)
	return nil
}
