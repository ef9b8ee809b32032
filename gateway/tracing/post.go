package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"postern/gateway/dispatch"
	"postern/webhook"
)

// sender makes a span of each POST.
type sender struct {
	dispatch.Sender
	t *Tracer
}

// Sender is next, with a span for each POST, by OpenTelemetry's conventions for
// HTTP clients.
func (t *Tracer) Sender(next dispatch.Sender) dispatch.Sender { return sender{next, t} }

// Post implements dispatch.Sender.
func (s sender) Post(ctx context.Context, r *webhook.Request, timeout time.Duration) webhook.Outcome {
	ep := r.Endpoint()
	host, port := ep.Host()
	ctx, span := s.t.tracer.Start(ctx, http.MethodPost, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", http.MethodPost), attribute.String("url.full", ep.URL()), attribute.String("server.address", host), attribute.Int("server.port", port),
		attribute.Int64("http.request.body.size", r.Size()),
		attribute.String("postern.endpoint", ep.Name()), attribute.String("postern.delivery.id", r.DeliveryID()), attribute.Int("postern.attempt", r.Attempt())))
	defer span.End()
	o := s.Sender.Post(ctx, r, timeout)
	span.SetAttributes(attribute.String("postern.result", string(o.Reason)))
	if o.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", o.Status))
	}
	if o.Result != webhook.Delivered {
		span.SetAttributes(attribute.String("error.type", string(o.Reason)))
		span.SetStatus(codes.Error, "")
	}
	return o
}

// Propagate puts ctx's span into a request's header, for webhook.SenderDeps.
func Propagate(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}
