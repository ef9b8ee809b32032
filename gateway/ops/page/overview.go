package page

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/gateway/history"
	"postern/retry"
)

// endpointView is an endpoint, its breaker and what waits for it.
type endpointView struct {
	Endpoint
	Configured  bool
	State       retry.BreakerState
	Since       time.Time
	Probe       time.Time
	Next        string        // when it is tried, in words
	Spark       template.HTML // its last hour
	Delivered   int           // in it
	Failed      int
	Failures    int
	Paused      bool
	PausedUntil time.Time
	Why         string
	Waiting     retry.Counts
}

type overviewView struct {
	Queue     *retry.Stats
	Waiting   int64
	UnderWay  int64
	Dead      int64
	Reasons   []reasonCount
	Endpoints []endpointView
	Lately    []history.Record
	Mail      template.HTML // charts
	Posts     template.HTML
	Latency   template.HTML
	Sum       Minute
	P50, P95  int
}

type reasonCount struct {
	Reason string
	N      int64
}

func (p *Page) overview(w http.ResponseWriter, r *http.Request) error {
	v := overviewView{}
	var stats retry.Stats
	if p.deps.Queue != nil {
		var err error
		if stats, err = p.deps.Queue.Stats(r.Context()); err != nil {
			return err
		}
		v.Queue = &stats
		for _, c := range stats.Endpoints {
			v.Waiting, v.UnderWay, v.Dead = v.Waiting+c.Due, v.UnderWay+c.Leased, v.Dead+c.Dead
		}
		for reason, n := range stats.DeadByReason {
			if n > 0 {
				v.Reasons = append(v.Reasons, reasonCount{reason, n})
			}
		}
		slices.SortFunc(v.Reasons, func(a, b reasonCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Reason, b.Reason)) })
	}
	var err error
	if v.Endpoints, err = p.endpointViews(r.Context(), stats); err != nil {
		return err
	}
	if p.deps.History != nil {
		if v.Lately, _, err = p.deps.History.Find(r.Context(), history.Query{Limit: 10}); err != nil {
			return err
		}
	}
	all := p.deps.Live.Minutes()
	for _, m := range all {
		v.Sum.Accepted += m.Accepted
		v.Sum.Refused += m.Refused
		v.Sum.Delivered += m.Delivered
		v.Sum.Failed += m.Failed
	}
	now := all[len(all)-1]
	if now.n == 0 {
		now = all[len(all)-2]
	}
	v.P50, v.P95 = now.Latency(0.5), now.Latency(0.95)
	v.Mail = bars(all, func(m Minute) (int, int) { return m.Accepted, m.Refused })
	v.Posts = bars(all, func(m Minute) (int, int) { return m.Delivered, m.Failed })
	v.Latency = bars(all, func(m Minute) (int, int) { return m.Latency(0.95), 0 })
	p.show(w, r, http.StatusOK, "overview", "Overview", v)
	return nil
}

// endpointViews are those configured, in their order, then those that only the
// queue knows.
func (p *Page) endpointViews(ctx context.Context, stats retry.Stats) ([]endpointView, error) {
	list := make([]endpointView, 0, len(p.deps.Endpoints))
	place := map[string]int{}
	get := func(name string) *endpointView {
		i, ok := place[name]
		if !ok {
			i = len(list)
			place[name] = i
			list = append(list, endpointView{Endpoint: Endpoint{Name: name}})
		}
		return &list[i]
	}
	for _, e := range p.deps.Endpoints {
		v := get(e.Name)
		v.Endpoint, v.Configured = e, true
	}
	if p.deps.Queue != nil {
		states, err := p.deps.Queue.Endpoints(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range states {
			v := get(s.Endpoint)
			v.Paused, v.PausedUntil, v.Why = s.Paused, s.PausedUntil, s.Why
		}
	}
	for _, name := range slices.Sorted(keys(stats.Endpoints)) {
		get(name).Waiting = stats.Endpoints[name]
	}
	if p.deps.Breakers != nil {
		for _, b := range p.deps.Breakers.Snapshot() {
			v := get(b.Endpoint)
			v.State, v.Since, v.Probe, v.Failures, v.Next = b.State, b.Since, b.Until, b.Failures, until(b.Until, p.deps.Now())
		}
	}
	for i := range list {
		all := p.deps.Live.Endpoint(list[i].Name)
		for _, m := range all {
			list[i].Delivered, list[i].Failed = list[i].Delivered+m.Delivered, list[i].Failed+m.Failed
		}
		list[i].Spark = spark(all)
	}
	return slices.DeleteFunc(list, func(v endpointView) bool { return !v.Configured && v.Waiting == retry.Counts{} && !v.Paused }), nil
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Sizes of a chart, in its own units.
const (
	chartHeight = 40
	barWidth    = 4
)

// bars draws a bar a minute: what went well below, what didn't on top. All of
// it is numbers of ours.
func bars(all []Minute, of func(Minute) (good, bad int)) template.HTML {
	return drawn("chart", all, of)
}

// spark is an endpoint's last hour, small enough for a table.
func spark(all []Minute) template.HTML {
	return drawn("spark", all, func(m Minute) (int, int) { return m.Delivered, m.Failed })
}

func drawn(class string, all []Minute, of func(Minute) (good, bad int)) template.HTML {
	top := 1
	for _, m := range all {
		good, bad := of(m)
		top = max(top, good+bad)
	}
	var b strings.Builder
	b.WriteString(`<svg class="` + class + `" viewBox="0 0 ` + strconv.Itoa(len(all)*barWidth) + ` ` + strconv.Itoa(chartHeight) + `" preserveAspectRatio="none" aria-hidden="true">`)
	rect := func(class string, i, from, n int) {
		if n == 0 {
			return
		}
		h := max(n*chartHeight/top, 1)
		y := max(chartHeight-from-h, 0)
		b.WriteString(`<rect class="` + class + `" x="` + strconv.Itoa(i*barWidth) + `" y="` + strconv.Itoa(y) + `" width="` + strconv.Itoa(barWidth-1) + `" height="` + strconv.Itoa(h) + `"/>`)
	}
	for i, m := range all {
		good, bad := of(m)
		rect("good", i, 0, good)
		rect("bad", i, good*chartHeight/top, bad)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
