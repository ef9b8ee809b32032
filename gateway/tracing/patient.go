package tracing

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// tellEvery is how often it is told at most that spans can't be sent.
const tellEvery = 5 * time.Minute

// patient is an exporter whose failures are told once in a while.
type patient struct {
	sdk.SpanExporter
	log *slog.Logger

	mu     sync.Mutex
	told   time.Time
	failed int // spans since
}

// ExportSpans implements sdk.SpanExporter. It never fails: nobody could do more
// about it than the exporter did.
func (p *patient) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := p.SpanExporter.ExportSpans(ctx, spans)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		if p.failed > 0 {
			p.log.Info("traces are taken again", "lost", p.failed)
		}
		p.failed, p.told = 0, time.Time{}
		return nil
	}
	p.failed += len(spans)
	if time.Since(p.told) >= tellEvery {
		p.told = time.Now()
		p.log.Warn("traces can't be sent to the collector; mail isn't touched", "lost", p.failed, "err", err)
	}
	return nil
}
