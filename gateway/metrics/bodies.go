package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"postern/retry/s3"
)

// Bodies is what this package asks of the object store for large bodies.
type Bodies interface {
	Health() error
	// Held is why no body is deleted, nil while they are.
	Held() error
	Counts() map[string]s3.Count
}

// bodyStats is a prometheus.Collector of the object store for large bodies.
type bodyStats struct{ bodies Bodies }

// WatchBodies registers the series of an object store.
func WatchBodies(reg prometheus.Registerer, b Bodies) { reg.MustRegister(bodyStats{b}) }

var (
	descBodiesUp       = prometheus.NewDesc("postern_body_store_up", "1 while the object store for large bodies answers, 0 while it fails: large mail that must wait is left with its sender, and what waits there goes on waiting; there with POSTERN_BODY_STORE.", nil, nil)
	descBodiesHeld     = prometheus.NewDesc("postern_body_store_held", "1 while no body is deleted from the object store, since another database uses the folder of this one's bodies or this one was set back (a restored or copied database): mail goes on, and the bucket grows; else 0; there with POSTERN_BODY_STORE.", nil, nil)
	descBodiesRequests = prometheus.NewDesc("postern_body_store_requests_total", "Requests to the object store by operation (put, get, delete, list, probe) and result (done, failed).", []string{"operation", "result"}, nil)
)

// Describe implements prometheus.Collector.
func (bodyStats) Describe(ch chan<- *prometheus.Desc) {
	ch <- descBodiesUp
	ch <- descBodiesHeld
	ch <- descBodiesRequests
}

// Collect implements prometheus.Collector.
func (s bodyStats) Collect(ch chan<- prometheus.Metric) {
	up, held := 1.0, 0.0
	if s.bodies.Health() != nil {
		up = 0
	}
	if s.bodies.Held() != nil {
		held = 1
	}
	ch <- prometheus.MustNewConstMetric(descBodiesUp, prometheus.GaugeValue, up)
	ch <- prometheus.MustNewConstMetric(descBodiesHeld, prometheus.GaugeValue, held)
	for op, c := range s.bodies.Counts() {
		ch <- prometheus.MustNewConstMetric(descBodiesRequests, prometheus.CounterValue, float64(c.Done), op, "done")
		ch <- prometheus.MustNewConstMetric(descBodiesRequests, prometheus.CounterValue, float64(c.Failed), op, "failed")
	}
}
