package ops

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/retry"
)

// How the queue is asked at scrapes.
const (
	statsFresh   = 2 * time.Second // counts are asked at most so often, however many scrape
	statsTimeout = 5 * time.Second // a slow store must not hold a scrape longer
)

// Queue is what this package asks of the retry queue.
type Queue interface {
	List(ctx context.Context, f retry.Filter, page retry.Page) ([]retry.Info, retry.Page, error)
	Get(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error)
	Replay(ctx context.Context, f retry.Filter, to string, wait time.Duration) (int, error)
	RetryNow(ctx context.Context, f retry.Filter, spread time.Duration) (int, error)
	Delete(ctx context.Context, f retry.Filter) (int, error)
	Pause(ctx context.Context, endpoint string, d time.Duration, why string) error
	Resume(ctx context.Context, endpoint string) error
	Endpoints(ctx context.Context) ([]retry.EndpointState, error)
	Stats(ctx context.Context) (retry.Stats, error)
	Health(ctx context.Context) error
	OpenMessage(ctx context.Context, messageID string) (retry.Message, retry.StoredBody, error)
}

// QueueStats is a prometheus.Collector of what waits in the queue, read at the
// scrape and kept for a moment.
type QueueStats struct {
	queue     Queue
	endpoints []string
	now       func() time.Time

	mu    sync.Mutex
	read  time.Time
	stats retry.Stats
	err   error
}

// NewQueueStats returns the collector of a queue; register it where the
// metrics are.
func NewQueueStats(q Queue, endpoints []string) *QueueStats {
	return &QueueStats{queue: q, endpoints: endpoints, now: time.Now}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("postern_retry_"+name, help, labels, nil)
}

var (
	descUp          = desc("queue_up", "1 while the queue's store can be read and written, 0 while the gateway is degraded: what must wait is left with its sender.")
	descMessages    = desc("queue_messages", "Messages stored.")
	descMaxMessages = desc("queue_max_messages", "Messages at which the queue is full.")
	descBytes       = desc("queue_bytes", "Octets stored.")
	descMaxBytes    = desc("queue_max_bytes", "Octets at which the queue is full.")
	descDeliveries  = desc("queue_deliveries", "Deliveries stored by endpoint and state.", "endpoint", "state")
	descOldest      = desc("oldest_enqueued_timestamp_seconds", "When the oldest delivery that is due was received; absent while nothing waits.")
	descAside       = desc("set_aside_files", "Files that the store set aside because it was damaged (lost+found); move them away once looked at.")
	descDead        = desc("dead_letters", "Dead letters stored by reason.", "reason")
)

// Describe implements prometheus.Collector.
func (q *QueueStats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descMessages, descMaxMessages, descBytes, descMaxBytes, descDeliveries, descOldest, descDead, descAside} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. While the store can't be read only
// queue_up is there, and 0.
func (q *QueueStats) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s, err := q.get()
	if err != nil {
		gauge(descUp, 0)
		return
	}
	gauge(descUp, 1)
	gauge(descMessages, float64(s.Messages))
	gauge(descMaxMessages, float64(s.MaxMessages))
	gauge(descBytes, float64(s.Bytes))
	gauge(descMaxBytes, float64(s.MaxBytes))
	gauge(descAside, float64(s.Aside))
	if !s.OldestDue.IsZero() {
		gauge(descOldest, unix(s.OldestDue))
	}
	for name, c := range q.byEndpoint(s) {
		gauge(descDeliveries, float64(c.Due), name, string(retry.Due))
		gauge(descDeliveries, float64(c.Leased), name, string(retry.Leased))
		gauge(descDeliveries, float64(c.Dead), name, string(retry.Dead))
	}
	dead := map[string]int64{}
	for _, r := range deadReasons() {
		dead[r] = 0
	}
	for r, n := range s.DeadByReason {
		if _, known := dead[r]; !known {
			r = other
		}
		dead[r] += n
	}
	for r, n := range dead {
		gauge(descDead, float64(n), r)
	}
}

// byEndpoint counts under the configured names and "other".
func (q *QueueStats) byEndpoint(s retry.Stats) map[string]retry.Counts {
	all := map[string]retry.Counts{other: {}}
	for _, e := range q.endpoints {
		all[e] = retry.Counts{}
	}
	for name, c := range s.Endpoints {
		if _, known := all[name]; !known {
			name = other
		}
		sum := all[name]
		all[name] = retry.Counts{Due: sum.Due + c.Due, Leased: sum.Leased + c.Leased, Dead: sum.Dead + c.Dead}
	}
	return all
}

// get asks the store, or remembers what it said a moment ago.
func (q *QueueStats) get() (retry.Stats, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := q.now(); q.read.IsZero() || now.Sub(q.read) >= statsFresh || now.Before(q.read) {
		ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
		defer cancel()
		if q.err = q.queue.Health(ctx); q.err == nil {
			q.stats, q.err = q.queue.Stats(ctx)
		}
		q.read = now
	}
	return q.stats, q.err
}
