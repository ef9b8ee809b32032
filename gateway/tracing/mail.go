package tracing

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"postern/gateway/history"
	"postern/gateway/smtp"
	"postern/retry"
)

// observer makes a span of each session on its way to the next observer.
type observer struct {
	smtp.Observer
	t *Tracer
}

// Observer is next, with a span for each session; the client carries it as its
// Data.
func (t *Tracer) Observer(next smtp.Observer) smtp.Observer { return observer{next, t} }

// SessionStarted implements smtp.Observer.
func (o observer) SessionStarted(c *smtp.Client) {
	protocol := "smtp"
	if c.LMTP {
		protocol = "lmtp"
	}
	_, span := o.t.tracer.Start(context.Background(), protocol+" session", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("network.protocol.name", protocol)))
	c.Data = span
	o.Observer.SessionStarted(c)
}

// SessionEnded implements smtp.Observer.
func (o observer) SessionEnded(c *smtp.Client, end smtp.End) {
	if span, ok := c.Data.(trace.Span); ok {
		span.SetAttributes(attribute.String("postern.session.end", end.String()), attribute.Bool("postern.tls", c.TLS != nil), attribute.Bool("postern.signed_in", c.Auth != ""))
		span.End()
	}
	o.Observer.SessionEnded(c, end)
}

// Transaction begins the span of a transaction of the client's: a trace of its
// own, which links to the session's.
func (t *Tracer) Transaction(ctx context.Context, c *smtp.Client, verb string) context.Context {
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("postern.verb", verb))}
	if session, ok := c.Data.(trace.Span); ok {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: session.SpanContext()}))
	}
	ctx, _ = t.tracer.Start(ctx, "smtp transaction", options...)
	return ctx
}

// Within is ctx, with the span of another.
func (t *Tracer) Within(ctx, of context.Context) context.Context {
	return trace.ContextWithSpan(ctx, trace.SpanFromContext(of))
}

// Ended ends a transaction's span.
func (t *Tracer) Ended(ctx context.Context, r history.Record) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	refused := 0
	for _, to := range r.To {
		if to.Reply != "" && to.Reply[0] != '2' {
			refused++
		}
	}
	span.SetAttributes(attribute.String("postern.message.id", r.ID), attribute.Int64("postern.message.size", r.Size), attribute.String("postern.result", string(r.Result)),
		attribute.Int("postern.recipients", len(r.To)-refused), attribute.Int("postern.recipients.refused", refused),
		attribute.Int("postern.deliveries.waiting", r.Waiting), attribute.Int("postern.deliveries.dead", r.Dead))
	if code, err := strconv.Atoi(r.Reply[:min(3, len(r.Reply))]); err == nil {
		span.SetAttributes(attribute.Int("smtp.response.status_code", code))
		if code >= 400 {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// Step begins a part of what ctx's span is about; end ends it.
func (t *Tracer) Step(ctx context.Context, name string) (within context.Context, end func(error)) {
	within, span := t.tracer.Start(ctx, name)
	return within, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "") // its text may hold what the mail says
		}
		span.End()
	}
}

// Arrival is what later attempts link to, in the form of the header traceparent;
// "" where nobody records the span.
func (t *Tracer) Arrival(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// Redelivery begins the span of an attempt at what waited in the queue; arrival is
// the transaction that it came by, "" unknown.
func (t *Tracer) Redelivery(ctx context.Context, l retry.Lease, arrival string) context.Context {
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("postern.message.id", l.MessageID), attribute.String("postern.delivery.id", l.ID), attribute.String("postern.endpoint", l.Endpoint),
		attribute.Int("postern.attempt", l.Attempts+1))}
	came := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": arrival})
	if at := trace.SpanContextFromContext(came); at.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: at}))
	}
	ctx, _ = t.tracer.Start(ctx, "redelivery", options...)
	return ctx
}

// Redelivered ends it.
func (t *Tracer) Redelivered(ctx context.Context, o retry.Outcome) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("postern.result", o.Reason))
	if o.Kind == retry.Later || o.Kind == retry.GiveUp {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
