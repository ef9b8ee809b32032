package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/retry"
)

// operation is what a store was asked to do, as a label.
type operation struct {
	took   prometheus.Observer
	failed prometheus.Counter
}

// Store is a queue whose operations are timed. What operators do isn't: their
// lists would drown what mail waits for.
type Store struct {
	retry.Queue
	reserve, stage, enqueue, lease, open, settle, extend, keep, dedup operation
}

// storeBuckets go from what is in memory to the longest that a write may take, in
// seconds.
var storeBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// WatchStore times the operations of a queue.
func WatchStore(reg prometheus.Registerer, q retry.Queue) *Store {
	f := promauto.With(reg)
	took := f.NewHistogramVec(prometheus.HistogramOpts{Name: "postern_retry_store_operation_duration_seconds",
		Help: "How long the queue's store took, by operation; settle is an attempt's end, dedup who took a message that its sender still has.", Buckets: storeBuckets}, []string{"operation"})
	failed := f.NewCounterVec(prometheus.CounterOpts{Name: "postern_retry_store_errors_total",
		Help: "Operations that the store failed at; a full queue is no failure."}, []string{"operation"})
	op := func(name string) operation {
		return operation{took.WithLabelValues(name), failed.WithLabelValues(name)}
	}
	return &Store{Queue: q, reserve: op("reserve"), stage: op("stage"), enqueue: op("enqueue"), lease: op("lease"), open: op("open"),
		settle: op("settle"), extend: op("extend"), keep: op("keep"), dedup: op("dedup")}
}

// Unclean reports whether the store's last owner ended without closing it.
func (s *Store) Unclean() bool {
	q, ok := s.Queue.(interface{ Unclean() bool })
	return ok && q.Unclean()
}

// ended notes an operation's end; it returns the error.
func (o operation) ended(began time.Time, err error) error {
	o.took.Observe(time.Since(began).Seconds())
	if err != nil && !expected(err) {
		o.failed.Inc()
	}
	return err
}

// expected reports whether an error is an answer and no failure.
func expected(err error) bool {
	for _, e := range []error{retry.ErrFull, retry.ErrLeaseLost, retry.ErrNotFound, retry.ErrCorrupt, context.Canceled} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Reserve implements retry.Queue, as do all that follow.
func (s *Store) Reserve(ctx context.Context, n int64) (retry.Reservation, error) {
	began := time.Now()
	r, err := s.Queue.Reserve(ctx, n)
	return r, s.reserve.ended(began, err)
}

func (s *Store) Stage(ctx context.Context, r retry.Reservation, b retry.Body) (retry.BodyRef, error) {
	began := time.Now()
	ref, err := s.Queue.Stage(ctx, r, b)
	return ref, s.stage.ended(began, err)
}

func (s *Store) Enqueue(ctx context.Context, m retry.Message, ds []retry.NewDelivery) (retry.Result, error) {
	began := time.Now()
	res, err := s.Queue.Enqueue(ctx, m, ds)
	return res, s.enqueue.ended(began, err)
}

func (s *Store) Lease(ctx context.Context, req retry.LeaseRequest) ([]retry.Lease, error) {
	began := time.Now()
	ls, err := s.Queue.Lease(ctx, req)
	return ls, s.lease.ended(began, err)
}

func (s *Store) LeaseID(ctx context.Context, id string, ttl time.Duration) (retry.Lease, error) {
	began := time.Now()
	l, err := s.Queue.LeaseID(ctx, id, ttl)
	return l, s.lease.ended(began, err)
}

func (s *Store) Extend(ctx context.Context, l retry.Lease, ttl time.Duration) error {
	began := time.Now()
	return s.extend.ended(began, s.Queue.Extend(ctx, l, ttl))
}

func (s *Store) Open(ctx context.Context, ref retry.BodyRef) (retry.StoredBody, error) {
	began := time.Now()
	b, err := s.Queue.Open(ctx, ref)
	return b, s.open.ended(began, err)
}

func (s *Store) Ack(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	began := time.Now()
	return s.settle.ended(began, s.Queue.Ack(ctx, l, a))
}

func (s *Store) Retry(ctx context.Context, l retry.Lease, wait time.Duration, a retry.Attempt) error {
	began := time.Now()
	return s.settle.ended(began, s.Queue.Retry(ctx, l, wait, a))
}

func (s *Store) Dead(ctx context.Context, l retry.Lease, why string, a retry.Attempt) error {
	began := time.Now()
	return s.settle.ended(began, s.Queue.Dead(ctx, l, why, a))
}

func (s *Store) Release(ctx context.Context, l retry.Lease, a retry.Attempt) error {
	began := time.Now()
	return s.settle.ended(began, s.Queue.Release(ctx, l, a))
}

func (s *Store) Split(ctx context.Context, l retry.Lease, parts []retry.NewDelivery) error {
	began := time.Now()
	return s.settle.ended(began, s.Queue.Split(ctx, l, parts))
}

func (s *Store) Keep(ctx context.Context, m retry.Message, d time.Duration) error {
	began := time.Now()
	return s.keep.ended(began, s.Queue.Keep(ctx, m, d))
}

func (s *Store) Drop(ctx context.Context, messageID string) error {
	began := time.Now()
	return s.keep.ended(began, s.Queue.Drop(ctx, messageID))
}

func (s *Store) Delivered(ctx context.Context, key string) ([]string, error) {
	began := time.Now()
	ids, err := s.Queue.Delivered(ctx, key)
	return ids, s.dedup.ended(began, err)
}

func (s *Store) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	began := time.Now()
	return s.dedup.ended(began, s.Queue.Remember(ctx, key, ids, d))
}

func (s *Store) Forget(ctx context.Context, key string) error {
	began := time.Now()
	return s.dedup.ended(began, s.Queue.Forget(ctx, key))
}
