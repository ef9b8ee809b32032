package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway/dispatch"
)

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
