package metrics

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
	statsShare   = 20              // and counting takes at most one part in so many of the store's time
	statsTimeout = 5 * time.Second // a slow store must not hold a scrape longer
)

// Queue is what a scrape asks of the retry queue.
type Queue interface {
	Health(ctx context.Context) error
	Stats(ctx context.Context) (retry.Stats, error)
	Endpoints(ctx context.Context) ([]retry.EndpointState, error)
}

// queueStats is a prometheus.Collector of what waits in the queue, read at the
// scrape and kept for a moment.
type queueStats struct {
	queue     Queue
	store     string
	endpoints map[string]*endpoint
	maxAge    time.Duration
	now       func() time.Time

	mu     sync.Mutex
	until  time.Time // what was read is good
	stats  retry.Stats
	states []retry.EndpointState
	err    error
}

// WatchQueue registers the series of what waits; maxAge is how long a delivery
// may. The store's name tells whether two processes count the same mail.
func (m *Metrics) WatchQueue(reg prometheus.Registerer, q Queue, store string, maxAge time.Duration) {
	reg.MustRegister(&queueStats{queue: q, store: store, endpoints: m.endpoints, maxAge: maxAge, now: time.Now})
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("postern_"+name, help, labels, nil)
}

var (
	descUp          = desc("retry_queue_up", "1 while the queue's store can be read and written, 0 while the gateway is degraded: what must wait is left with its sender.")
	descStore       = desc("retry_store_info", "1, labelled with which store the queue is in: replicas that share one count the same mail, and those with their own don't.", "store")
	descMessages    = desc("retry_queue_messages", "Messages stored.")
	descMaxMessages = desc("retry_queue_max_messages", "Messages at which the queue is full.")
	descBytes       = desc("retry_queue_bytes", "Octets stored.")
	descMaxBytes    = desc("retry_queue_max_bytes", "Octets at which the queue is full.")
	descDeliveries  = desc("retry_queue_deliveries", "Deliveries stored by state: due, leased (an attempt is under way) or dead.", "endpoint", "state")
	descOldest      = desc("retry_oldest_enqueued_timestamp_seconds", "When the delivery that has waited longest was received, or replayed; there while something waits.", "endpoint")
	descMaxAge      = desc("retry_max_age_seconds", "How long a delivery may wait before it is a dead letter (POSTERN_RETRY_MAX_AGE).")
	descAside       = desc("retry_set_aside_files", "Files that the store set aside because it was damaged (lost+found); move them away once looked at.")
	descDead        = desc("retry_dead_letters", "Dead letters stored by reason; rejected ones the app itself refused.", "endpoint", "reason")
	descPaused      = desc("webhook_paused", "1 while an operator's pause keeps mail from the endpoint.", "endpoint")
)

// Describe implements prometheus.Collector.
func (q *queueStats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descStore, descMessages, descMaxMessages, descBytes, descMaxBytes, descDeliveries, descOldest, descMaxAge, descDead, descAside, descPaused} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. While the store can't be read only
// queue_up is there, and 0.
func (q *queueStats) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s, states, err := q.get()
	if err != nil {
		gauge(descUp, 0)
		return
	}
	gauge(descUp, 1)
	gauge(descStore, 1, q.store)
	gauge(descMessages, float64(s.Messages))
	gauge(descMaxMessages, float64(s.MaxMessages))
	gauge(descBytes, float64(s.Bytes))
	gauge(descMaxBytes, float64(s.MaxBytes))
	gauge(descMaxAge, q.maxAge.Seconds())
	gauge(descAside, float64(s.Aside))
	paused := map[string]bool{}
	for _, e := range states {
		paused[e.Endpoint] = e.Paused
	}
	for name, c := range q.byEndpoint(s) {
		gauge(descDeliveries, float64(c.Due), name, string(retry.Due))
		gauge(descDeliveries, float64(c.Leased), name, string(retry.Leased))
		gauge(descDeliveries, float64(c.Dead), name, string(retry.Dead))
		if !c.oldest.IsZero() {
			gauge(descOldest, unix(c.oldest), name)
		}
		for reason, n := range c.dead {
			gauge(descDead, float64(n), name, reason)
		}
		if name != other {
			v := 0.0
			if paused[name] {
				v = 1
			}
			gauge(descPaused, v, name)
		}
	}
}

// counts are what the store has of one endpoint.
type counts struct {
	retry.Counts
	oldest time.Time
	dead   map[string]int64 // by reason
}

// byEndpoint counts under the configured names and "other".
func (q *queueStats) byEndpoint(s retry.Stats) map[string]*counts {
	all := make(map[string]*counts, len(q.endpoints))
	for name := range q.endpoints {
		c := &counts{dead: map[string]int64{other: 0}}
		for _, r := range deadReasons() {
			c.dead[r] = 0
		}
		all[name] = c
	}
	of := func(name string) *counts {
		if c := all[name]; c != nil {
			return c
		}
		return all[other]
	}
	for name, n := range s.Endpoints {
		c := of(name)
		c.Due, c.Leased, c.Dead = c.Due+n.Due, c.Leased+n.Leased, c.Dead+n.Dead
	}
	for name, at := range s.OldestOf {
		if c := of(name); c.oldest.IsZero() || at.Before(c.oldest) {
			c.oldest = at
		}
	}
	for kind, n := range s.DeadOf {
		c, reason := of(kind.Endpoint), kind.Reason
		if _, known := c.dead[reason]; !known {
			reason = other
		}
		c.dead[reason] += n
	}
	return all
}

// get asks the store, or remembers what it said a moment ago.
func (q *queueStats) get() (retry.Stats, []retry.EndpointState, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	began := q.now()
	if began.Before(q.until) && q.until.Sub(began) <= statsShare*statsTimeout {
		return q.stats, q.states, q.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsTimeout)
	defer cancel()
	if q.err = q.queue.Health(ctx); q.err == nil {
		q.stats, q.err = q.queue.Stats(ctx)
	}
	if q.err == nil {
		q.states, q.err = q.queue.Endpoints(ctx)
	}
	now := q.now()
	q.until = now.Add(max(statsFresh, statsShare*now.Sub(began)))
	return q.stats, q.states, q.err
}
