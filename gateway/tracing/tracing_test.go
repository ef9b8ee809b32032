package tracing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"postern/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOn(t *testing.T) {
	for env, want := range map[string]bool{
		"":                       false,
		"OTEL_SERVICE_NAME=mail": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318":               true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318":        true,
		"OTEL_TRACES_EXPORTER=otlp":                               true,
		"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=c": false,
		"OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=c":    false,
		"OTEL_SDK_DISABLED=false OTEL_EXPORTER_OTLP_ENDPOINT=c":   true,
	} {
		if got := On(getenv(env)); got != want {
			t.Errorf("%s: %v", env, got)
		}
	}
}

// getenv reads variables from one line.
func getenv(line string) func(string) string {
	vars := map[string]string{}
	for _, v := range strings.Fields(line) {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return func(name string) string { return vars[name] }
}

func TestProtocols(t *testing.T) {
	for env, fails := range map[string]bool{
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf": false, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc": false, "": false, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json": true,
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc": false,
	} {
		e, err := newExporter(t.Context(), getenv(env))
		if errors.Is(err, ErrSetting) != fails || err != nil != fails {
			t.Errorf("%s: %v", env, err)
		}
		if e != nil {
			if err := e.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}

// broken is an exporter that fails as long as err is set.
type broken struct {
	sdk.SpanExporter
	err error
}

func (b *broken) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return b.err }

// A collector that is away is told of once in a while, and once when it is back.
func TestFailuresAreToldSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &broken{err: errors.New("connection refused")}
		p := &patient{SpanExporter: b, log: slog.New(slog.NewTextHandler(&log, nil))}
		export := func(n int) {
			for range n {
				if err := p.ExportSpans(t.Context(), make([]sdk.ReadOnlySpan, 2)); err != nil {
					t.Error("somebody else would tell it, too:", err)
				}
			}
		}
		export(100)
		if got := strings.Count(log.String(), "connection refused"); got != 1 {
			t.Errorf("told %d times at once", got)
		}
		time.Sleep(tellEvery)
		export(100)
		if got := strings.Count(log.String(), "connection refused"); got != 2 {
			t.Errorf("told %d times in all", got)
		}
		b.err = nil
		export(2)
		if got := log.String(); strings.Count(got, "again") != 1 || !strings.Contains(got, "lost=400") {
			t.Error(got)
		}
	})
}

// What was queued before there were traces, or by hand, links to nothing.
func TestRedeliveryWithoutArrival(t *testing.T) {
	for _, arrival := range []string{"", "00-garbage", "00-00000000000000000000000000000000-0000000000000000-01"} {
		spans := tracetest.NewInMemoryExporter()
		x, err := newTracer(t.Context(), spans, Deps{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		x.Redelivered(x.Redelivery(t.Context(), retry.Lease{}, arrival), retry.Outcome{Kind: retry.GiveUp})
		if err := x.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := spans.GetSpans()
		if len(got) != 1 || len(got[0].Links) != 0 || got[0].Parent.IsValid() {
			t.Errorf("%q: %+v", arrival, got)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}
