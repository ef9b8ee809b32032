package ops

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/budget"
)

// registerMemory makes the series of the budget of memory for mail.
func registerMemory(f promauto.Factory, stats func() budget.Stats) {
	gauge := func(name, help string, value func(budget.Stats) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stats()) })
	}
	gauge("postern_memory_budget_bytes", "Octets of memory that mail may take.", func(s budget.Stats) float64 { return float64(s.Total) })
	gauge("postern_memory_held_bytes", "Octets of it that spools and envelopes hold.", func(s budget.Stats) float64 { return float64(s.Held) })
	gauge("postern_memory_taken_bytes", "Octets of it that work on mail takes.", func(s budget.Stats) float64 { return float64(s.Taken) })
	gauge("postern_memory_waiting", "Mails that wait for memory.", func(s budget.Stats) float64 { return float64(s.Waiting) })
	gauge("postern_memory_waiting_seconds", "How long the oldest of them has waited.", func(s budget.Stats) float64 { return s.Waited.Seconds() })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "postern_memory_refused_total", Help: "Mails for which no memory came free in time: answered 452 4.3.1, or tried again later."},
		func() float64 { return float64(stats().Refused) })
}
