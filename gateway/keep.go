package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"postern/gateway/archive"
	"postern/webhook/payload"
)

// Links makes urls for content that Postern serves itself, for one message
// whose content keep makes durable before a POST names it.
type Links interface {
	Kept(keep func(ctx context.Context, messageID string, until time.Time) error) payload.Links
}

// kept remembers whether a message was stored for its urls; the message's
// deliveries share it.
type kept struct {
	mu    sync.Mutex
	until time.Time
}

// links are the urls for one message, nil where there are none to be had.
func (g *Gateway) links(m *message) payload.Links {
	if g.Links == nil || g.Queue == nil {
		return nil
	}
	return g.Links.Kept(func(ctx context.Context, _ string, until time.Time) error { return g.keep(ctx, m, until) })
}

// keep stores the message until the time, once for all its deliveries.
func (g *Gateway) keep(ctx context.Context, m *message, until time.Time) error {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if !m.kept.until.Before(until) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	record, err := archive.Record(m.env, m.parsed.Subject, g.Policy.MaxAge)
	if err != nil {
		return g.storeFailed(m, "envelope", err)
	}
	if m.stored != nil || m.staged {
		if err := g.Queue.Keep(ctx, record, until.Sub(g.Now())); err != nil {
			return g.storeFailed(m, "keep", err)
		}
		m.kept.until = until
		return nil
	}
	booked, err := g.Queue.Reserve(ctx, m.data.Size())
	if err != nil {
		return g.storeFailed(m, "reserve", err)
	}
	defer booked.Release()
	if record.Body, err = g.Queue.Stage(ctx, booked, m.data); err != nil {
		return g.storeFailed(m, "stage", err)
	}
	if err := g.Queue.Keep(ctx, record, until.Sub(g.Now())); err != nil {
		return g.storeFailed(m, "keep", err)
	}
	m.kept.until, m.staged = until, true
	return nil
}

// drop lets go of content that was kept for a POST that nobody took.
func (g *Gateway) drop(ctx context.Context, m *message, ds []*delivery) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.until.IsZero() || slices.ContainsFunc(slices.Concat(ds, m.live), (*delivery).delivered) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := g.Queue.Drop(ctx, m.env.ID); err != nil {
		g.Logger.Warn("content of a refused message stays until its urls would have expired", "id", m.env.ID, "error", err)
	}
}
