package gateway

import (
	"context"

	"postern/gateway/history"
	"postern/gateway/smtp"
	"postern/retry"
)

// Tracer makes spans of what becomes of messages; *tracing.Tracer is the real
// one. A context carries its span. The methods return at once.
type Tracer interface {
	// Transaction begins the span of an SMTP transaction, and Ended ends it.
	Transaction(ctx context.Context, c *smtp.Client, verb string) context.Context
	Ended(ctx context.Context, r history.Record)
	// Within is ctx with the span of another.
	Within(ctx, of context.Context) context.Context
	// Step begins a part of what ctx's span is about; end ends it.
	Step(ctx context.Context, name string) (within context.Context, end func(error))
	// Arrival names the span so that it can be stored with the message, and
	// Redelivery begins the span of a later attempt, which Redelivered ends.
	Arrival(ctx context.Context) string
	Redelivery(ctx context.Context, l retry.Lease, arrival string) context.Context
	Redelivered(ctx context.Context, o retry.Outcome)
}

// traced is a transaction's Data until its message came: what carries its span.
type traced struct{ context.Context }

// within is ctx with the transaction's span, where there is one.
func (g *Gateway) within(ctx context.Context, t *smtp.Transaction) context.Context {
	if of := spanOf(t); of != nil {
		return g.deps.Tracer.Within(ctx, of)
	}
	return ctx
}

// spanOf is what carries the transaction's span, nil where nobody traces.
func spanOf(t *smtp.Transaction) context.Context {
	switch d := t.Data.(type) {
	case traced:
		return d.Context
	case *message:
		return d.span
	}
	return nil
}

// step begins a part of what ctx's span is about.
func (g *Gateway) step(ctx context.Context, name string) (within context.Context, end func(error)) {
	if g.deps.Tracer == nil {
		return ctx, func(error) {}
	}
	return g.deps.Tracer.Step(ctx, name)
}
