package ops

import (
	"slices"
	"time"

	"postern/retry"
	"postern/webhook"
)

// attemptResults name what became of an attempt at a queued delivery.
var attemptResults = []string{"delivered", "retry", "dead"}

// deadReasons are all that a dead letter's reason can be.
func deadReasons() []string {
	list := []string{retry.ReasonExpired, retry.ReasonCorrupt}
	for _, r := range webhook.Reasons() {
		list = append(list, string(r))
	}
	return slices.DeleteFunc(list, func(r string) bool { return r == string(webhook.ReasonDelivered) })
}

// ReportKinds and ReportResults are the labels of what is told about dead letters.
var (
	ReportKinds   = []string{"webhook", "dsn"}
	ReportResults = []string{"sent", "failed", "withheld", "overflow"}
)

// Reported counts a report about a dead letter; kind is one of ReportKinds,
// result one of ReportResults.
func (m *Metrics) Reported(kind, result string) { m.reports.WithLabelValues(kind, result).Inc() }

// workerMetrics implements retry.Observer.
type workerMetrics struct{ m *Metrics }

// Worker is the observer of the retry worker.
func (m *Metrics) Worker() retry.Observer { return workerMetrics{m} }

// Attempted implements retry.Observer.
func (w workerMetrics) Attempted(l retry.Lease, v retry.Outcome, _ time.Duration) {
	result := "retry"
	switch v.Kind {
	case retry.Done:
		result = "delivered"
	case retry.GiveUp:
		result = "dead"
	}
	w.m.attempts.WithLabelValues(w.m.endpoint(l.Endpoint), result).Inc()
}

// Died implements retry.Observer.
func (w workerMetrics) Died(_ retry.Lease, reason string) { w.m.drop(reason) }

func (m *Metrics) drop(reason string) {
	if !slices.Contains(deadReasons(), reason) {
		reason = other
	}
	m.dropped.WithLabelValues(reason).Inc()
}

// BreakerChanged notes a breaker's change of state, for retry.NewBreakers.
func (m *Metrics) BreakerChanged(c retry.BreakerChange) {
	e := m.endpoint(c.Endpoint)
	m.setBreaker(e, c.To)
	if c.To == retry.BreakerOpen {
		m.opened.WithLabelValues(e).Inc()
	}
}

func (m *Metrics) setBreaker(endpoint string, is retry.BreakerState) {
	for _, s := range []retry.BreakerState{retry.BreakerClosed, retry.BreakerOpen, retry.BreakerHalfOpen} {
		v := 0.0
		if s == is {
			v = 1
		}
		m.breakers.WithLabelValues(endpoint, string(s)).Set(v)
	}
}

// BreakersRestored takes over the states that the store kept over a restart.
func (m *Metrics) BreakersRestored(list []retry.BreakerInfo) {
	for _, b := range list {
		m.setBreaker(m.endpoint(b.Endpoint), b.State)
	}
}
