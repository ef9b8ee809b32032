package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/retry"
	"postern/webhook"
)

// endpoint is all that is counted of one, found before anything happened: no
// delivery looks a label up.
type endpoint struct {
	requests map[webhook.Reason]prometheus.Counter // of what was POSTed
	withheld map[webhook.Reason]prometheus.Counter // of what was not
	duration prometheus.Observer
	age      prometheus.Observer
	enqueued map[retry.State]prometheus.Counter
	attempts map[retry.OutcomeKind]prometheus.Counter
	dropped  map[string]prometheus.Counter // by a dead letter's reason, and other
	breaker  map[retry.BreakerState]prometheus.Gauge
	opened   prometheus.Counter
	overfull prometheus.Counter
}

// ageBuckets go from a local webhook to the end of what waits, in seconds.
var ageBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 72 * 3600}

// attemptResults name what became of an attempt at a queued delivery.
var attemptResults = map[retry.OutcomeKind]string{retry.Done: "delivered", retry.Later: "retry", retry.GiveUp: "dead", retry.Divided: "divided"}

// breakerStates are all of a breaker's.
var breakerStates = []retry.BreakerState{retry.BreakerClosed, retry.BreakerOpen, retry.BreakerHalfOpen}

// newEndpoints makes each endpoint's series exist, and those of other.
func newEndpoints(f promauto.Factory, names []string) map[string]*endpoint {
	v := newEndpointSeries(f)
	all := map[string]*endpoint{}
	for _, name := range append(slices.Clone(names), other) {
		all[name] = v.of(name)
	}
	return all
}

// endpointSeries are the series of all endpoints.
type endpointSeries struct {
	requests, withheld, enqueued, attempts, dropped, opened, overfull *prometheus.CounterVec
	durations, ages                                                   *prometheus.HistogramVec
	breakers                                                          *prometheus.GaugeVec
}

func newEndpointSeries(f promauto.Factory) endpointSeries {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"endpoint"}, labels...))
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return f.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"endpoint"})
	}
	return endpointSeries{
		requests:  counter("postern_webhook_requests_total", "POSTs by what came of them.", "result"),
		withheld:  counter("postern_webhook_withheld_total", "Deliveries that were not POSTed, by why: paused and breaker_open wait, sender was refused by the endpoint's gate.", "reason"),
		durations: histogram("postern_webhook_request_duration_seconds", "How long webhooks took to answer.", requestBuckets),
		ages:      histogram("postern_delivery_age_seconds", "Age of a message when its webhook took it, from its last octet to the 2xx, time in the queue included.", ageBuckets),
		enqueued:  counter("postern_retry_enqueued_total", "Deliveries stored by state: due, or dead because the webhook rejected them.", "state"),
		attempts:  counter("postern_retry_attempts_total", "Attempts at queued deliveries by what became of them; divided were answered differently for their recipients.", "result"),
		dropped:   counter("postern_retry_dropped_total", "Deliveries given up by reason; each one is kept as a dead letter.", "reason"),
		breakers:  f.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_webhook_breaker_state", Help: "1 for the state that the endpoint's circuit breaker is in."}, []string{"endpoint", "state"}),
		opened:    counter("postern_webhook_breaker_opened_total", "How often the endpoint's circuit breaker opened."),
		overfull:  counter("postern_endpoint_overfull_total", "Messages or recipients answered 452 because MAX_QUEUED or MAX_QUEUED_BYTES of the endpoint was reached."),
	}
}

// of is one endpoint's.
func (v endpointSeries) of(name string) *endpoint {
	e := &endpoint{
		duration: v.durations.WithLabelValues(name), age: v.ages.WithLabelValues(name), opened: v.opened.WithLabelValues(name), overfull: v.overfull.WithLabelValues(name),
		requests: map[webhook.Reason]prometheus.Counter{}, withheld: map[webhook.Reason]prometheus.Counter{}, enqueued: map[retry.State]prometheus.Counter{},
		attempts: map[retry.OutcomeKind]prometheus.Counter{}, dropped: map[string]prometheus.Counter{}, breaker: map[retry.BreakerState]prometheus.Gauge{},
	}
	for _, r := range webhook.Reasons() {
		if r.Posted() {
			e.requests[r] = v.requests.WithLabelValues(name, string(r))
		} else {
			e.withheld[r] = v.withheld.WithLabelValues(name, string(r))
		}
	}
	for _, s := range []retry.State{retry.Due, retry.Dead} {
		e.enqueued[s] = v.enqueued.WithLabelValues(name, string(s))
	}
	for kind, r := range attemptResults {
		e.attempts[kind] = v.attempts.WithLabelValues(name, r)
	}
	for _, r := range append(deadReasons(), other) {
		e.dropped[r] = v.dropped.WithLabelValues(name, r)
	}
	for _, s := range breakerStates {
		e.breaker[s] = v.breakers.WithLabelValues(name, string(s))
	}
	e.setBreaker(retry.BreakerClosed)
	return e
}

// deadReasons are all that a dead letter's reason can be.
func deadReasons() []string {
	list := []string{retry.ReasonExpired, retry.ReasonCorrupt}
	for _, r := range webhook.Reasons() {
		list = append(list, string(r))
	}
	return slices.DeleteFunc(list, func(r string) bool { return r == string(webhook.ReasonDelivered) })
}

// Delivered counts the end of a delivery attempt, and of what was not attempted.
func (m *Metrics) Delivered(o webhook.Outcome, age time.Duration) {
	e := m.of(o.Endpoint)
	posted := e.requests[o.Reason]
	if posted == nil {
		if withheld := e.withheld[o.Reason]; withheld != nil {
			withheld.Inc()
		}
		return
	}
	posted.Inc()
	e.duration.Observe(o.Elapsed.Seconds())
	if o.Result == webhook.Delivered {
		e.age.Observe(age.Seconds())
	}
}

// Queued counts a delivery that was stored; one that is dead at once was
// rejected by its webhook while others took the message.
func (m *Metrics) Queued(endpoint string, dead bool) {
	e := m.of(endpoint)
	if dead {
		e.drop(string(webhook.ReasonRejected))
		e.enqueued[retry.Dead].Inc()
		return
	}
	e.enqueued[retry.Due].Inc()
}

// Overfull counts a message or a recipient that was left with its sender because
// too much waits for the endpoint.
func (m *Metrics) Overfull(endpoint string) { m.of(endpoint).overfull.Inc() }

func (e *endpoint) drop(reason string) {
	c := e.dropped[reason]
	if c == nil {
		c = e.dropped[other]
	}
	c.Inc()
}

func (e *endpoint) setBreaker(is retry.BreakerState) {
	for s, g := range e.breaker {
		v := 0.0
		if s == is {
			v = 1
		}
		g.Set(v)
	}
}

// worker implements retry.Observer.
type worker struct{ m *Metrics }

// Worker is the observer of the retry worker.
func (m *Metrics) Worker() retry.Observer { return worker{m} }

// Attempted implements retry.Observer.
func (w worker) Attempted(l retry.Lease, v retry.Outcome, _ time.Duration) {
	if c := w.m.of(l.Endpoint).attempts[v.Kind]; c != nil {
		c.Inc()
	}
}

// Died implements retry.Observer.
func (w worker) Died(l retry.Lease, reason string) { w.m.of(l.Endpoint).drop(reason) }

// BreakerChanged notes a breaker's change of state, for retry.NewBreakers.
func (m *Metrics) BreakerChanged(c retry.BreakerChange) {
	e := m.of(c.Endpoint)
	e.setBreaker(c.To)
	if c.To == retry.BreakerOpen {
		e.opened.Inc()
	}
}

// BreakersRestored takes over the states that the store kept over a restart.
func (m *Metrics) BreakersRestored(list []retry.BreakerInfo) {
	for _, b := range list {
		m.of(b.Endpoint).setBreaker(b.State)
	}
}
