package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"postern/retry/s3"
)

// Bodies is what this package asks of the object store for large bodies.
type Bodies interface {
	Health() error
	Counts() map[string]s3.Count
}

// bodyStats is a prometheus.Collector of the object store for large bodies.
type bodyStats struct{ bodies Bodies }

// WatchBodies registers the series of an object store.
func WatchBodies(reg prometheus.Registerer, b Bodies) { reg.MustRegister(bodyStats{b}) }

var (
	descBodiesUp       = prometheus.NewDesc("postern_body_store_up", "1 while the object store for large bodies answers, 0 while it fails: large mail that must wait is left with its sender, and what waits there goes on waiting; there with POSTERN_BODY_STORE.", nil, nil)
	descBodiesRequests = prometheus.NewDesc("postern_body_store_requests_total", "Requests to the object store by operation (put, get, delete, list, probe) and result (done, failed).", []string{"operation", "result"}, nil)
)

// Describe implements prometheus.Collector.
func (bodyStats) Describe(ch chan<- *prometheus.Desc) {
	ch <- descBodiesUp
	ch <- descBodiesRequests
}

// Collect implements prometheus.Collector.
func (s bodyStats) Collect(ch chan<- prometheus.Metric) {
	up := 1.0
	if s.bodies.Health() != nil {
		up = 0
	}
	ch <- prometheus.MustNewConstMetric(descBodiesUp, prometheus.GaugeValue, up)
	for op, c := range s.bodies.Counts() {
		ch <- prometheus.MustNewConstMetric(descBodiesRequests, prometheus.CounterValue, float64(c.Done), op, "done")
		ch <- prometheus.MustNewConstMetric(descBodiesRequests, prometheus.CounterValue, float64(c.Failed), op, "failed")
	}
}
