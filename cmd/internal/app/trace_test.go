package app

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// traces is a collector that speaks OTLP over HTTP.
type traces struct {
	*httptest.Server

	mu      sync.Mutex
	spans   []*tracepb.Span
	about   map[string]string // of the resource
	headers http.Header
}

func newTraces(t *testing.T) *traces {
	t.Helper()
	c := &traces{about: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(body)
		}
		b, err := io.ReadAll(body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(b, &sent) != nil {
			t.Errorf("%s: not what a collector takes (%v)", r.URL, err)
		}
		c.take(&sent, r.Header)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// collect is a collector that the environment names.
func collect(t *testing.T) *traces {
	t.Helper()
	c := newTraces(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20") // ms
	return c
}

func (c *traces) take(sent *collector.ExportTraceServiceRequest, h http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = h
	for _, of := range sent.ResourceSpans {
		for _, kv := range of.Resource.Attributes {
			c.about[kv.Key] = kv.Value.GetStringValue()
		}
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// wait is all spans once there are n of the name.
func (c *traces) wait(t *testing.T, n int, name string) []*tracepb.Span {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		spans := slices.Clone(c.spans)
		c.mu.Unlock()
		if len(named(spans, name)) >= n {
			return spans
		}
	}
	t.Fatalf("no %d spans %s came", n, name)
	return nil
}

func named(spans []*tracepb.Span, name string) []*tracepb.Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s *tracepb.Span) bool { return s.Name != name })
}

func attribute(s *tracepb.Span, key string) *commonpb.AnyValue {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// A mail can be followed from its session to the webhook, and from the queue back
// to where it came from; no span holds an address or a word of it.
func TestTracesJoin(t *testing.T) {
	c := collect(t)
	t.Setenv("OTEL_SERVICE_NAME", "mail")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token")
	var mu sync.Mutex
	var parents []string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if parents = append(parents, r.Header.Get("Traceparent")); len(parents) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL+"/mail?key=secret", "POSTERN_RETRY_FIRST=1s", "POSTERN_RETRY_STORE=sqlite://"+t.TempDir(), "POSTERN_DNS=127.0.0.1:1")
	if err := sendPlain(a, "Message-ID: <1@device.example>\r\nFrom: device@example.com\r\nSubject: alarm\r\n\r\nThe door is open.\r\n"); err != nil {
		t.Fatal(err)
	}
	c.wait(t, 1, "smtp session")
	spans := c.wait(t, 1, "redelivery")
	one := func(name string) *tracepb.Span {
		t.Helper()
		found := named(spans, name)
		if len(found) != 1 {
			t.Fatalf("%d spans %s", len(found), name)
		}
		return found[0]
	}
	session, transaction, redelivery := one("smtp session"), one("smtp transaction"), one("redelivery")
	if session.Kind != tracepb.Span_SPAN_KIND_SERVER || transaction.Kind != tracepb.Span_SPAN_KIND_SERVER || redelivery.Kind != tracepb.Span_SPAN_KIND_CONSUMER {
		t.Error("kinds", session.Kind, transaction.Kind, redelivery.Kind)
	}
	links := func(from, to *tracepb.Span) {
		t.Helper()
		if len(from.Links) != 1 || string(from.Links[0].SpanId) != string(to.SpanId) || string(from.Links[0].TraceId) != string(to.TraceId) || string(from.TraceId) == string(to.TraceId) {
			t.Errorf("%s doesn't link from a trace of its own to %s", from.Name, to.Name)
		}
	}
	links(transaction, session)
	links(redelivery, transaction)
	within := func(s, parent *tracepb.Span) {
		t.Helper()
		if string(s.ParentSpanId) != string(parent.SpanId) || string(s.TraceId) != string(parent.TraceId) {
			t.Errorf("%s isn't part of %s", s.Name, parent.Name)
		}
	}
	for _, name := range []string{"recipient", "authenticate", "enqueue"} {
		within(one(name), transaction)
	}
	posts, parses := named(spans, "POST"), named(spans, "parse")
	if len(posts) != 2 || len(parses) != 2 {
		t.Fatalf("%d POSTs, %d times parsed", len(posts), len(parses))
	}
	for i, whole := range []*tracepb.Span{transaction, redelivery} {
		within(parses[i], whole)
		within(posts[i], whole)
		mu.Lock()
		if want := "00-" + hex.EncodeToString(posts[i].TraceId) + "-" + hex.EncodeToString(posts[i].SpanId) + "-01"; parents[i] != want {
			t.Errorf("the webhook got traceparent %q, want %s", parents[i], want)
		}
		mu.Unlock()
	}
	if first := posts[0]; attribute(first, "http.response.status_code").GetIntValue() != 503 || attribute(first, "error.type").GetStringValue() != "unavailable" ||
		attribute(first, "postern.endpoint").GetStringValue() != "default" || first.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR {
		t.Errorf("the failed POST: %v", first)
	}
	if attribute(transaction, "postern.result").GetStringValue() != "accepted" || attribute(transaction, "smtp.response.status_code").GetIntValue() != 250 ||
		attribute(transaction, "postern.deliveries.waiting").GetIntValue() != 1 {
		t.Errorf("the transaction: %v", transaction)
	}
	for _, s := range spans {
		for _, word := range []string{"device", "alarm", "door", "b@example", "key=secret"} {
			if strings.Contains(s.String(), word) {
				t.Errorf("the span %s shows %s: %v", s.Name, word, s)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.about["service.name"] != "mail" || c.about["deployment.environment"] != "test" || c.headers.Get("Authorization") != "Bearer token" {
		t.Errorf("resource %v, authorization %q", c.about, c.headers.Get("Authorization"))
	}
}

// byGRPC is the same collector, by gRPC.
type byGRPC struct {
	collector.UnimplementedTraceServiceServer
	*traces
}

func (g byGRPC) Export(_ context.Context, sent *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	g.take(sent, nil)
	return &collector.ExportTraceServiceResponse{}, nil
}

func TestTracesByGRPC(t *testing.T) {
	c := newTraces(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, byGRPC{traces: c})
	go server.Serve(l)
	t.Cleanup(server.Stop)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
	a := start(t, "POSTERN_WEBHOOK_URL=http://127.0.0.1:1/", "POSTERN_AUTHENTICATE=false")
	if err := sendPlain(a, "Subject: x\r\n\r\ny\r\n"); err == nil {
		t.Error("a mail was taken that nobody has")
	}
	spans := c.wait(t, 1, "smtp transaction")
	if got := attribute(named(spans, "smtp transaction")[0], "postern.result").GetStringValue(); got != "deferred" {
		t.Errorf("the transaction was %s", got)
	}
}

// A collector that takes connections and never answers costs mail nothing, and
// the end of the program a moment.
func TestCollectorThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hook.Close)
	began := time.Now()
	t.Run("mail", func(t *testing.T) {
		a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL, "POSTERN_AUTHENTICATE=false")
		for range 20 {
			if err := sendPlain(a, "Subject: x\r\n\r\ny\r\n"); err != nil {
				t.Fatal(err)
			}
		}
	})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("20 mails and the end took %s", took)
	}
}

// What can't be spoken is told, and mail is taken.
func TestUnknownProtocol(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	a := start(t, "POSTERN_WEBHOOK_URL=http://127.0.0.1:1/")
	if a.tracer != nil {
		t.Error("traces go out in a protocol that nobody speaks")
	}
}
