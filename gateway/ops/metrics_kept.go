package ops

import "github.com/prometheus/client_golang/prometheus"

// Keeper is what metrics show of what keeps delivered mail.
type Keeper interface {
	Kept() int64
	Dropped() int64
}

// WatchKept registers its series.
func (m *Metrics) WatchKept(reg prometheus.Registerer, k Keeper) {
	counter := func(name, help string, value func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	counter("postern_kept_messages_total", "Delivered messages that POSTERN_KEEP kept.", k.Kept)
	counter("postern_kept_dropped_total", "Delivered messages that it could not keep, because the disk is full or the store slow or away; mail isn't touched.", k.Dropped)
}
