package ops

import (
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/retry"
	"postern/webhook"
)

// MetricsOptions are the closed sets that become labels, and what is read at
// each scrape.
type MetricsOptions struct {
	Version   string
	Endpoints []string // names, as configured
	// SpoolUsed is the octets of messages under way; nil: no such series.
	SpoolUsed     func() int64
	SpoolMaxBytes int64
	// Memory is how the budget of memory for mail stands; nil: no such series.
	Memory func() budget.Stats
	// ClockOff is how far the machine's clock is ahead of the program's; nil: no
	// such series.
	ClockOff func() time.Duration
	// CertificateEnd is when the server's certificate ends; nil: no such series.
	CertificateEnd func() time.Time
}

// Metrics counts what the gateway does. It hears of it as gateway.Observer; its
// SMTP and Worker methods give the observers of the other packages, and
// BreakerChanged goes to retry.NewBreakers. All methods return at once.
type Metrics struct {
	endpoints map[string]bool

	smtp      smtpMetrics
	size      prometheus.Histogram
	requests  *prometheus.CounterVec   // endpoint, result
	durations *prometheus.HistogramVec // endpoint
	enqueued  *prometheus.CounterVec   // endpoint, state
	attempts  *prometheus.CounterVec   // endpoint, result
	dropped   *prometheus.CounterVec   // reason
	breakers  *prometheus.GaugeVec     // endpoint, state
	opened    *prometheus.CounterVec   // endpoint
	reports   *prometheus.CounterVec   // kind, result
}

// other is the endpoint label of a name that isn't configured (any more), so
// that the set stays closed.
const other = "other"

// sizeBuckets go from a short text to the largest message: octets, a factor 4 apart.
var sizeBuckets = []float64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20}

// requestBuckets go from a local webhook to the longest time-out, in seconds.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// NewMetrics registers every series at 0 with reg.
func NewMetrics(reg prometheus.Registerer, o MetricsOptions) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{endpoints: map[string]bool{}, smtp: newSMTPMetrics(f)}
	m.size = f.NewHistogram(prometheus.HistogramOpts{Name: "postern_message_size_bytes",
		Help: "Octets of DATA of the messages received, whatever became of them.", Buckets: sizeBuckets})
	m.requests = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_webhook_requests_total",
		Help: "Ends of delivery attempts by endpoint and result; breaker_open, no_slot and paused were not sent."}, []string{"endpoint", "result"})
	m.durations = f.NewHistogramVec(prometheus.HistogramOpts{Name: "postern_webhook_request_duration_seconds",
		Help: "How long webhooks took to answer.", Buckets: requestBuckets}, []string{"endpoint"})
	m.enqueued = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_retry_enqueued_total",
		Help: "Deliveries stored by endpoint and state: due, or dead because the webhook rejected them."}, []string{"endpoint", "state"})
	m.attempts = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_retry_attempts_total",
		Help: "Attempts at queued deliveries by endpoint and what became of them."}, []string{"endpoint", "result"})
	m.dropped = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_retry_dropped_total",
		Help: "Deliveries given up by reason; each one is kept as a dead letter."}, []string{"reason"})
	m.breakers = f.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_webhook_breaker_state",
		Help: "1 for the state that an endpoint's circuit breaker is in."}, []string{"endpoint", "state"})
	m.opened = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_webhook_breaker_opened_total",
		Help: "How often an endpoint's circuit breaker opened."}, []string{"endpoint"})
	m.reports = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_reports_total",
		Help: "Reports about dead letters by kind (webhook, dsn) and result."}, []string{"kind", "result"})
	m.preset(o.Endpoints)
	registerProcess(f, reg, o)
	return m
}

// preset makes each series exist from the start, so that a first failure is an
// increase and not a new series.
func (m *Metrics) preset(endpoints []string) {
	for _, e := range append(slices.Clone(endpoints), other) {
		m.endpoints[e] = e != other
		for _, r := range webhook.Reasons() {
			m.requests.WithLabelValues(e, string(r))
		}
		m.durations.WithLabelValues(e)
		for _, s := range []retry.State{retry.Due, retry.Dead} {
			m.enqueued.WithLabelValues(e, string(s))
		}
		for _, r := range attemptResults {
			m.attempts.WithLabelValues(e, r)
		}
		m.opened.WithLabelValues(e)
		m.setBreaker(e, retry.BreakerClosed)
	}
	for _, r := range append(deadReasons(), other) {
		m.dropped.WithLabelValues(r)
	}
	for _, kind := range ReportKinds {
		for _, r := range ReportResults {
			m.reports.WithLabelValues(kind, r)
		}
	}
}

func registerProcess(f promauto.Factory, reg prometheus.Registerer, o MetricsOptions) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_build_info", Help: "1, labelled with the versions of this build."},
		[]string{"version", "goversion"}).WithLabelValues(o.Version, runtime.Version()).Set(1)
	if o.SpoolUsed != nil {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_spool_bytes", Help: "Octets of messages under way."},
			func() float64 { return float64(o.SpoolUsed()) })
		f.NewGauge(prometheus.GaugeOpts{Name: "postern_spool_max_bytes", Help: "Octets under way at which senders are answered 452; 0 for no bound."}).
			Set(float64(o.SpoolMaxBytes))
	}
	if o.Memory != nil {
		registerMemory(f, o.Memory)
	}
	if o.ClockOff != nil {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_clock_offset_seconds",
			Help: "How far the machine's clock was set ahead of the program's own, which follows slowly; 0 while they agree."},
			func() float64 { return o.ClockOff().Seconds() })
	}
	if o.CertificateEnd != nil {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_tls_certificate_not_after_timestamp_seconds", Help: "When the server's certificate ends."},
			func() float64 { return unix(o.CertificateEnd()) })
	}
}

// unix is a time as metrics have it; 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// endpoint is a name as a label.
func (m *Metrics) endpoint(name string) string {
	if m.endpoints[name] {
		return name
	}
	return other
}

// Received counts a message whose last octet arrived and that was answered
// with the SMTP code.
func (m *Metrics) Received(e *mail.Envelope, _ int) {
	m.size.Observe(float64(e.Size))
}

// Delivered counts the end of a delivery attempt.
func (m *Metrics) Delivered(o webhook.Outcome, _ bool) {
	e := m.endpoint(o.Endpoint)
	m.requests.WithLabelValues(e, string(o.Reason)).Inc()
	if o.Elapsed > 0 {
		m.durations.WithLabelValues(e).Observe(o.Elapsed.Seconds())
	}
}

// Queued counts a delivery that was stored; one that is dead at once was
// rejected by its webhook while others took the message.
func (m *Metrics) Queued(endpoint string, dead bool) {
	state := retry.Due
	if dead {
		state = retry.Dead
		m.drop(string(webhook.ReasonRejected))
	}
	m.enqueued.WithLabelValues(m.endpoint(endpoint), string(state)).Inc()
}
