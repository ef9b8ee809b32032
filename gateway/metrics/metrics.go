// Package metrics counts what the gateway does, for Prometheus. README.md lists
// every series; a test holds the list to what is registered.
//
// Each series exists at 0 from the start, so that a first failure is an increase
// and no new series. Labels come from closed sets: an endpoint that isn't
// configured (any more) counts as "other". The methods that the hot path calls
// look nothing up but a counter that was made before, and allocate nothing. What
// the store has to be asked for is asked at a scrape, at most so often that it
// costs a small part of the store's time.
package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/budget"
	"postern/gateway/mail"
)

// Options are the closed sets that become labels, and what is read at each
// scrape.
type Options struct {
	Version   string
	Endpoints []string // names, as configured
	// SpoolUsed is the octets of messages under way; nil: no such series.
	SpoolUsed     func() int64
	SpoolMaxBytes int64
	// Memory is how the budget of memory for mail stands; nil: no such series.
	Memory func() budget.Stats
	// Disk is what is free of the volume that mail waits on, and its size; nil: no
	// such series.
	Disk func() (available, size int64, err error)
	// ClockOff is how far the machine's clock is ahead of the program's; nil: no
	// such series.
	ClockOff func() time.Duration
	// CertificateEnd is when the server's certificate ends; nil: no such series.
	CertificateEnd func() time.Time
}

// Metrics counts what the gateway does. It hears of it as gateway.Observer and
// dispatch.Observer; its SMTP and Worker methods give the observers of the other
// packages, and BreakerChanged goes to retry.NewBreakers. All methods return at
// once. The functions named Watch… register what not every gateway has.
type Metrics struct {
	names     []string             // of the endpoints, as configured
	endpoints map[string]*endpoint // and other
	smtp      smtpMetrics
	size      prometheus.Histogram
	answered  prometheus.Histogram
	reports   *prometheus.CounterVec // kind, result
}

// other is the endpoint label of a name that isn't configured (any more), so
// that the set stays closed.
const other = "other"

// sizeBuckets go from a short text to the largest message: octets, a factor 4 apart.
var sizeBuckets = []float64{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20}

// requestBuckets go from something local to the longest time-out, in seconds.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// New registers every series at 0 with reg.
func New(reg prometheus.Registerer, o Options) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{names: slices.Clone(o.Endpoints), endpoints: newEndpoints(f, o.Endpoints), smtp: newSMTPMetrics(f)}
	m.size = f.NewHistogram(prometheus.HistogramOpts{Name: "postern_message_size_bytes",
		Help: "Octets of DATA of the messages received, whatever became of them.", Buckets: sizeBuckets})
	m.answered = f.NewHistogram(prometheus.HistogramOpts{Name: "postern_message_reply_duration_seconds",
		Help: "From a message's last octet to its reply: how long senders wait.", Buckets: requestBuckets})
	m.reports = f.NewCounterVec(prometheus.CounterOpts{Name: "postern_reports_total",
		Help: "Reports about dead letters by kind (webhook, dsn) and result."}, []string{"kind", "result"})
	for _, kind := range ReportKinds {
		for _, r := range ReportResults {
			m.reports.WithLabelValues(kind, r)
		}
	}
	registerProcess(f, reg, o)
	return m
}

// of is an endpoint's series.
func (m *Metrics) of(endpoint string) *endpoint {
	if e := m.endpoints[endpoint]; e != nil {
		return e
	}
	return m.endpoints[other]
}

// Received counts a message whose last octet arrived, and how long its sender
// waited for the reply.
func (m *Metrics) Received(e *mail.Envelope, _ int, took time.Duration) {
	m.size.Observe(float64(e.Size))
	m.answered.Observe(took.Seconds())
}

// ReportKinds and ReportResults are the labels of what is told about dead letters.
var (
	ReportKinds   = []string{"webhook", "dsn"}
	ReportResults = []string{"sent", "failed", "withheld", "overflow"}
)

// Reported counts a report about a dead letter; kind is one of ReportKinds,
// result one of ReportResults.
func (m *Metrics) Reported(kind, result string) { m.reports.WithLabelValues(kind, result).Inc() }

// unix is a time as metrics have it; 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
