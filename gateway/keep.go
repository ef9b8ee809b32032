package gateway

import (
	"context"
	"sync"
	"time"

	"postern/gateway/archive"
	"postern/retry"
)

// keptContent is until when a message is stored for the urls in its POSTs; all its
// deliveries share it.
type keptContent struct {
	mu    sync.Mutex
	until time.Time
}

// keepContent stores the message until the time, for urls that name its content;
// once for all its deliveries.
func (q *queue) keepContent(ctx context.Context, m *message, until time.Time) error {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if !m.kept.until.Before(until) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	var record retry.Message
	var err error
	if m.stored != nil || !m.kept.until.IsZero() {
		record, err = archive.Record(m.env, m.mail.Head.Subject, q.policy.MaxAge)
	} else {
		record, err = q.stage(ctx, m, nil)
	}
	if err != nil {
		return err
	}
	if err := q.engine.Keep(ctx, record, until.Sub(q.now())); err != nil {
		return q.failed(m.env, "keep", err)
	}
	m.kept.until = until
	return nil
}

// dropContent removes content that was stored for POSTs that reached nobody.
func (q *queue) dropContent(ctx context.Context, m *message) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	if err := q.engine.Drop(ctx, m.env.ID); err != nil {
		q.log.Warn("content of a refused message stays until its urls would have expired", "message", m.env.ID, "err", err)
	}
}
