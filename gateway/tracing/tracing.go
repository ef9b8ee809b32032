// Package tracing sends spans of the mail's way to an OpenTelemetry collector
// (OTLP), where the standard OTEL_ variables name one: the SMTP session, each
// transaction with its authentication, parsing, queueing and POSTs, and each later
// attempt at what waited in the queue.
//
// A transaction is a trace of its own, since a session may bring thousands: it
// links to its session, and an attempt at queued mail links to the transaction
// that the mail came by. Each POST carries its span to the webhook (traceparent).
// Spans hold ids, sizes, counts, names of endpoints and statuses, no content and
// no address. Nothing here can slow, refuse or lose mail: spans wait in a bounded
// queue and are dropped when it is full, a collector that is away costs a line in
// the log once in a while.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// ErrSetting is returned where an OTEL_ variable says what can't be done.
var ErrSetting = errors.New("tracing")

// On reports whether the environment asks for traces: it names a collector, or
// the exporter otlp. OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none turn them off.
func On(getenv func(string) string) bool {
	exporter := getenv("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return false
	}
	return exporter == "otlp" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Deps are the parts that tracing works with.
type Deps struct {
	Getenv  func(string) string // the SDK itself reads the process's environment
	Logger  *slog.Logger
	Version string
}

// Tracer makes spans. It is the gateway's Tracer, and gives dispatch its Sender
// and the SMTP server its Observer.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New starts tracing as the environment says.
func New(ctx context.Context, deps Deps) (*Tracer, error) {
	exporter, err := newExporter(ctx, deps.Getenv)
	if err != nil {
		return nil, err
	}
	return newTracer(ctx, &patient{SpanExporter: exporter, log: deps.Logger}, deps)
}

func newTracer(ctx context.Context, exporter sdk.SpanExporter, deps Deps) (*Tracer, error) {
	// The environment's word comes last, and holds.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "postern"), attribute.String("service.version", deps.Version)), resource.WithFromEnv())
	if err != nil {
		deps.Logger.Warn("tracing: OTEL_RESOURCE_ATTRIBUTES is used as far as it can be read", "err", err)
	}
	// The library has one place for the faults that it handles by itself; without
	// this it would print them in a form of its own.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { deps.Logger.Debug("tracing", "err", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracer{provider: provider, tracer: provider.Tracer("postern", trace.WithInstrumentationVersion(deps.Version))}, nil
}

// newExporter speaks the protocol that the environment names, http/protobuf where
// it names none. It connects later.
func newExporter(ctx context.Context, getenv func(string) string) (sdk.SpanExporter, error) {
	protocol := getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("%w: OTEL_EXPORTER_OTLP_PROTOCOL=%s is not spoken here: http/protobuf or grpc", ErrSetting, protocol)
}

// closeTimeout is how long the end of the program waits for the last spans.
const closeTimeout = 2 * time.Second

// Close sends what is left.
func (t *Tracer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("tracing: %w", err)
	}
	return nil
}
