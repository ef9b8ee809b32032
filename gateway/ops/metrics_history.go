package ops

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Recorder is what metrics show of the history's writer.
type Recorder interface {
	Written() int64
	Dropped() int64
}

// WatchHistory registers the history's series.
func (m *Metrics) WatchHistory(reg prometheus.Registerer, r Recorder) {
	counter := func(name, help string, value func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	counter("postern_history_written_total", "Records and attempts that the history keeps.", r.Written)
	counter("postern_history_dropped_total", "Records and attempts that the history lost, because its store is slow or away; mail isn't touched.", r.Dropped)
}
