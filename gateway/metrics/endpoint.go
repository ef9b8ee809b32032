package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/dispatch"
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
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"endpoint"}, labels...))
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return f.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"endpoint"})
	}
	requests := counter("postern_webhook_requests_total", "POSTs by what came of them.", "result")
	withheld := counter("postern_webhook_withheld_total", "Deliveries that were not POSTed, by why: paused and breaker_open wait, sender was refused by the endpoint's gate.", "reason")
	durations := histogram("postern_webhook_request_duration_seconds", "How long webhooks took to answer.", requestBuckets)
	ages := histogram("postern_delivery_age_seconds", "Age of a message when its webhook took it, from its last octet to the 2xx, time in the queue included.", ageBuckets)
	enqueued := counter("postern_retry_enqueued_total", "Deliveries stored by state: due, or dead because the webhook rejected them.", "state")
	attempts := counter("postern_retry_attempts_total", "Attempts at queued deliveries by what became of them; divided were answered differently for their recipients.", "result")
	dropped := counter("postern_retry_dropped_total", "Deliveries given up by reason; each one is kept as a dead letter.", "reason")
	breakers := f.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_webhook_breaker_state", Help: "1 for the state that the endpoint's circuit breaker is in."}, []string{"endpoint", "state"})
	opened := counter("postern_webhook_breaker_opened_total", "How often the endpoint's circuit breaker opened.")
	overfull := counter("postern_endpoint_overfull_total", "Messages or recipients answered 452 because MAX_QUEUED or MAX_QUEUED_BYTES of the endpoint was reached.")
	all := map[string]*endpoint{}
	for _, name := range append(slices.Clone(names), other) {
		e := &endpoint{requests: map[webhook.Reason]prometheus.Counter{}, withheld: map[webhook.Reason]prometheus.Counter{},
			duration: durations.WithLabelValues(name), age: ages.WithLabelValues(name), opened: opened.WithLabelValues(name), overfull: overfull.WithLabelValues(name),
			enqueued: map[retry.State]prometheus.Counter{}, attempts: map[retry.OutcomeKind]prometheus.Counter{},
			dropped: map[string]prometheus.Counter{}, breaker: map[retry.BreakerState]prometheus.Gauge{}}
		for _, r := range webhook.Reasons() {
			if r.Posted() {
				e.requests[r] = requests.WithLabelValues(name, string(r))
			} else {
				e.withheld[r] = withheld.WithLabelValues(name, string(r))
			}
		}
		for _, s := range []retry.State{retry.Due, retry.Dead} {
			e.enqueued[s] = enqueued.WithLabelValues(name, string(s))
		}
		for kind, r := range attemptResults {
			e.attempts[kind] = attempts.WithLabelValues(name, r)
		}
		for _, r := range append(deadReasons(), other) {
			e.dropped[r] = dropped.WithLabelValues(name, r)
		}
		for _, s := range breakerStates {
			e.breaker[s] = breakers.WithLabelValues(name, string(s))
		}
		e.setBreaker(retry.BreakerClosed)
		all[name] = e
	}
	return all
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
func (m *Metrics) Delivered(o webhook.Outcome, _ bool, age time.Duration) {
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

var (
	descSlots    = prometheus.NewDesc("postern_webhook_slots", "POSTs that may be under way to the endpoint at once: CONCURRENCY, or what its pace allows now.", []string{"endpoint"}, nil)
	descInFlight = prometheus.NewDesc("postern_webhook_in_flight", "POSTs under way, by origin: fresh while a sender waits, queued after it was answered.", []string{"endpoint", "origin"}, nil)
	descWaiting  = prometheus.NewDesc("postern_webhook_waiting", "Deliveries that wait for a slot.", []string{"endpoint", "origin"}, nil)
)

// loads is a prometheus.Collector of how busy the endpoints are.
type loads func() []dispatch.Load

// WatchSlots registers the series of the endpoints' slots.
func WatchSlots(reg prometheus.Registerer, f func() []dispatch.Load) { reg.MustRegister(loads(f)) }

// Describe implements prometheus.Collector.
func (l loads) Describe(ch chan<- *prometheus.Desc) {
	ch <- descSlots
	ch <- descInFlight
	ch <- descWaiting
}

// Collect implements prometheus.Collector.
func (l loads) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	for _, at := range l() {
		gauge(descSlots, at.Slots, at.Endpoint)
		for origin, name := range map[dispatch.Origin]string{dispatch.Fresh: "fresh", dispatch.Queued: "queued"} {
			gauge(descInFlight, at.Busy[origin], at.Endpoint, name)
			gauge(descWaiting, at.Waiting[origin], at.Endpoint, name)
		}
	}
}
