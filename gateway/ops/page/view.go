package page

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/text"
	"postern/retry"
)

//go:embed templates
var templates embed.FS

// views are the templates by name, each with the layout around it.
type views map[string]*template.Template

func parseViews() (views, error) {
	all := views{}
	for _, name := range []string{"signin", "problem", "overview", "messages", "message", "queue", "confirm", "endpoints", "request", "bulk"} {
		t, err := template.New("layout.html").Funcs(words).ParseFS(templates, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page: %w", err)
		}
		all[name] = t
	}
	return all, nil
}

// layoutView is what every view has around it.
type layoutView struct {
	Title, Version, Path, Name string
	SignedIn, Queue, History   bool
	Ready                      string // why mail isn't taken; "" while it is
	Degraded                   string // why mail that must wait can't; "" while it can
	Now                        time.Time
	Done                       string
	View                       any
}

// show answers with a view. It is made whole first, so that a fault in it is
// never half a page.
func (p *Page) show(w http.ResponseWriter, r *http.Request, status int, name, title string, view any) {
	v := layoutView{Title: title, Version: p.cfg.Version, Path: r.URL.Path, Name: name, Queue: p.deps.Queue != nil, History: p.deps.History != nil,
		Now: p.deps.Now(), Done: done(r), View: view, SignedIn: name != "signin"}
	if v.SignedIn {
		if err := p.deps.Ready(r.Context()); err != nil {
			v.Ready = err.Error()
		} else if err := p.deps.Degraded(r.Context()); err != nil {
			v.Degraded = err.Error()
		}
	}
	var b bytes.Buffer
	if err := p.views[name].Execute(&b, v); err != nil {
		p.deps.Logger.Error("a page can't be made", "path", r.URL.Path, "err", err)
		http.Error(w, "the page can't be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// done says what an action before this view did: the address tells which.
func done(r *http.Request) string {
	q := r.URL.Query()
	said := map[string]string{
		"retried": "%s made due now.", "replayed": "%s live again and are due now.", "deleted": "%s deleted.",
		"paused": "Paused: mail for it waits.", "resumed": "Resumed: what waits is sent again.", "probed": "The next mail is a probe.", "sent": "%s queued again and due now.",
	}[q.Get("done")]
	if !strings.Contains(said, "%s") {
		return said
	}
	n := q.Get("n")
	if n == "1" {
		return fmt.Sprintf(said, "1 delivery")
	}
	return fmt.Sprintf(said, number(n)+" deliveries")
}

// number is digits alone, for a text that is shown.
func number(s string) string {
	if s == "" || len(s) > 12 || strings.Trim(s, "0123456789") != "" {
		return "Some"
	}
	return s
}

// words are the functions of the templates.
var words = template.FuncMap{
	"time":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"ago":     func(t, now time.Time) string { return span(now.Sub(t)) },
	"until":   until,
	"size":    size,
	"ms":      func(ms int64) string { return span(time.Duration(ms) * time.Millisecond) },
	"class":   class,
	"state":   stateWords,
	"orNull":  func(s string) string { return cmp.Or(s, "<>") },
	"or0":     func(s, other string) string { return cmp.Or(s, other) },
	"join":    strings.Join,
	"shown":   text.Terminal, // nothing turns the direction of what is ours
	"few":     few[string],
	"fewTo":   few[history.Recipient],
	"fewOf":   few[mail.Address],
	"first": func(s []string) string {
		if len(s) == 0 {
			return ""
		}
		return s[0]
	},
	"reason": reasonWords,
	"last":   lastWords,
}

// fewShown is how many of a list are shown without being asked for.
const fewShown = 8

// few is a list's beginning, and the rest.
func few[T any](all []T) [2][]T {
	n := len(all)
	if n > fewShown+1 {
		n = fewShown
	}
	return [2][]T{all[:n], all[n:]}
}

// until is when something is due, in words; what is past is due now.
func until(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "in " + span(t.Sub(now))
}

// span is a duration to the precision that a person wants.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 90*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// class is the colour of a state, a result or a status; the words beside it
// say the same.
func class(v any) string {
	switch v := v.(type) {
	case *history.Record:
		return class(*v)
	case history.Record:
		switch {
		case v.Dead > 0, v.Result == history.Refused, v.Result == history.AuthFailed, v.Result == history.Aborted:
			return "bad"
		case v.Waiting > 0, v.Removed > 0, v.Result == history.Deferred, v.Repeats != "":
			return "wait"
		}
		return "good"
	case history.Result:
		return class(history.Record{Result: v})
	case *history.Attempt:
		switch {
		case v.Reason == "delivered":
			return "good"
		case v.Reason == history.HandedOver && v.Settles == history.SettledDone:
			return "good"
		case v.Settles == history.SettledDead, v.Reason == "rejected":
			return "bad"
		}
		return "wait"
	case retry.State:
		if v == retry.Dead {
			return "bad"
		}
		return "wait"
	case retry.BreakerState:
		switch v {
		case retry.BreakerClosed, "":
			return "good"
		case retry.BreakerOpen:
			return "bad"
		}
		return "wait"
	}
	return ""
}

// stateWords say how a message or a delivery stands.
func stateWords(v any) string {
	switch v := v.(type) {
	case *history.Record:
		return stateWords(*v)
	case history.Record:
		return v.Became()
	case retry.State:
		return map[retry.State]string{retry.Due: "waiting", retry.Leased: "under way", retry.Dead: "dead letter"}[v]
	case retry.BreakerState:
		return map[retry.BreakerState]string{"": "working", retry.BreakerClosed: "working", retry.BreakerOpen: "failing", retry.BreakerHalfOpen: "being probed"}[v]
	}
	return ""
}

// lastWords say how the last attempt ended; the error names the status already.
func lastWords(v any) string {
	var i retry.Info
	switch v := v.(type) {
	case retry.Info:
		i = v
	case deliveryView:
		i = v.Info
	}
	if i.LastError == "" && i.LastStatus != 0 {
		return fmt.Sprintf("HTTP %d", i.LastStatus)
	}
	return i.LastError
}

// reasonWords are a reason as a person says it.
func reasonWords(reason string) string { return strings.ReplaceAll(reason, "_", " ") }
