package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/budget"
)

// registerProcess makes the series of what the whole process has and uses.
func registerProcess(f promauto.Factory, reg prometheus.Registerer, o Options) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_build_info", Help: "1, labelled with the versions of this build."},
		[]string{"version", "goversion"}).WithLabelValues(o.Version, runtime.Version()).Set(1)
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	if o.SpoolUsed != nil {
		gauge("postern_spool_bytes", "Octets of messages under way.", func() float64 { return float64(o.SpoolUsed()) })
		gauge("postern_spool_max_bytes", "Octets under way at which senders are answered 452; 0 for no bound.", func() float64 { return float64(o.SpoolMaxBytes) })
	}
	if o.Memory != nil {
		registerMemory(f, o.Memory)
	}
	if o.Disk != nil {
		reg.MustRegister(disk(o.Disk))
	}
	if o.ClockOff != nil {
		gauge("postern_clock_offset_seconds", "How far the machine's clock was set ahead of the program's own, which follows slowly; 0 while they agree.",
			func() float64 { return o.ClockOff().Seconds() })
	}
	if o.CertificateEnd != nil {
		gauge("postern_tls_certificate_not_after_timestamp_seconds", "When the server's certificate ends; there with TLS only.",
			func() float64 { return unix(o.CertificateEnd()) })
	}
}

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

var (
	descDiskAvailable = prometheus.NewDesc("postern_disk_available_bytes", "Octets that are free on the volume where mail is kept.", nil, nil)
	descDiskSize      = prometheus.NewDesc("postern_disk_size_bytes", "Octets of that volume.", nil, nil)
)

// disk is a prometheus.Collector of a volume; one that can't be asked has no series.
type disk func() (available, size int64, err error)

// Describe implements prometheus.Collector.
func (d disk) Describe(ch chan<- *prometheus.Desc) { ch <- descDiskAvailable; ch <- descDiskSize }

// Collect implements prometheus.Collector.
func (d disk) Collect(ch chan<- prometheus.Metric) {
	available, size, err := d()
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(descDiskAvailable, prometheus.GaugeValue, float64(available))
	ch <- prometheus.MustNewConstMetric(descDiskSize, prometheus.GaugeValue, float64(size))
}

// Recorder is what metrics show of the history's writer.
type Recorder interface {
	Written() int64
	Dropped() int64
}

// WatchHistory registers the history's series.
func WatchHistory(reg prometheus.Registerer, r Recorder) {
	counter(reg, "postern_history_written_total", "Records and attempts that the history keeps.", r.Written)
	counter(reg, "postern_history_dropped_total", "Records and attempts that the history lost, because its store is slow or away; mail isn't touched.", r.Dropped)
}

// Keeper is what metrics show of what keeps delivered mail.
type Keeper interface {
	Kept() int64
	Dropped() int64
}

// WatchKept registers the series of delivered mail that is kept.
func WatchKept(reg prometheus.Registerer, k Keeper) {
	counter(reg, "postern_kept_messages_total", "Delivered messages that POSTERN_KEEP kept.", k.Kept)
	counter(reg, "postern_kept_dropped_total", "Delivered messages that it could not keep, because the disk is full or the store slow or away; mail isn't touched.", k.Dropped)
}

// counter registers one that is counted elsewhere.
func counter(reg prometheus.Registerer, name, help string, value func() int64) {
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
}
