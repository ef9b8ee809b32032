package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/directory"
)

// lookups implements directory.Observer.
type lookups struct {
	total    map[directory.Source]map[directory.Result]prometheus.Counter
	duration prometheus.Histogram
}

// WatchDirectory registers the series of a directory webhook and returns its
// observer.
func WatchDirectory(reg prometheus.Registerer) directory.Observer {
	f := promauto.With(reg)
	l := lookups{total: map[directory.Source]map[directory.Result]prometheus.Counter{}}
	total := f.NewCounterVec(prometheus.CounterOpts{Name: "postern_directory_lookups_total",
		Help: "Questions to the directory by where the answer came from and what it was; unavailable is answered 450."}, []string{"source", "result"})
	for _, s := range directory.Sources() {
		l.total[s] = map[directory.Result]prometheus.Counter{}
		for _, r := range directory.Results() {
			l.total[s][r] = total.WithLabelValues(string(s), string(r))
		}
	}
	l.duration = f.NewHistogram(prometheus.HistogramOpts{Name: "postern_directory_request_duration_seconds",
		Help: "How long the directory webhook took to answer what was not in the cache.", Buckets: requestBuckets})
	return l
}

// LookedUp implements directory.Observer.
func (l lookups) LookedUp(from directory.Source, r directory.Result, took time.Duration) {
	l.total[from][r].Inc()
	if from == directory.Asked {
		l.duration.Observe(took.Seconds())
	}
}
