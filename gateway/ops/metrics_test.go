package ops

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/gateway/budget"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

func newTestMetrics(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg, MetricsOptions{
		Version: "1.2.3", Endpoints: []string{"app", "crm"}, SpoolUsed: func() int64 { return 42 }, SpoolMaxBytes: 100,
		Memory:         func() budget.Stats { return budget.Stats{Total: 1000, Held: 100} },
		ClockOff:       func() time.Duration { return -2 * time.Hour },
		CertificateEnd: func() time.Time { return time.Unix(2000000000, 0) },
	})
	return m, reg
}

func scrape(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	s, err := New(Config{}, Deps{Ready: alwaysReady, Gatherer: reg})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", w.Code, w.Body)
	}
	b, _ := io.ReadAll(w.Body)
	return string(b)
}

// Every name that alerts and dashboards know, each at 0 before anything happened.
func TestSeriesExistFromTheStart(t *testing.T) {
	_, reg := newTestMetrics(t)
	reg.MustRegister(NewQueueStats(newMemQueue(), []string{"app", "crm"}))
	text := scrape(t, reg)
	want := []string{
		`postern_smtp_sessions_active 0`, `postern_smtp_events_total{event="early-talk"} 0`,
		`postern_smtp_replies_total{code="250",verb="END-OF-DATA"} 0`, `postern_message_size_bytes_count 0`,
		`postern_webhook_request_duration_seconds_count{endpoint="app"} 0`,
		`postern_webhook_breaker_state{endpoint="app",state="closed"} 1`, `postern_webhook_breaker_state{endpoint="app",state="open"} 0`,
		`postern_webhook_breaker_opened_total{endpoint="crm"} 0`,
		`postern_retry_queue_up 1`, `postern_retry_set_aside_files 0`, `postern_retry_queue_messages 0`, `postern_retry_queue_bytes 0`, `postern_retry_queue_max_bytes 1.073741824e+09`,
		`postern_retry_queue_deliveries{endpoint="crm",state="dead"} 0`, `postern_retry_dead_letters{reason="expired"} 0`,
		`postern_retry_enqueued_total{endpoint="app",state="due"} 0`, `postern_retry_attempts_total{endpoint="app",result="retry"} 0`,
		`postern_reports_total{kind="dsn",result="sent"} 0`, `postern_spool_bytes 42`, `postern_spool_max_bytes 100`,
		`postern_clock_offset_seconds -7200`,
		`postern_memory_budget_bytes 1000`, `postern_memory_held_bytes 100`, `postern_memory_taken_bytes 0`, `postern_memory_waiting 0`, `postern_memory_refused_total 0`,
		`postern_tls_certificate_not_after_timestamp_seconds 2e+09`, `postern_build_info{goversion="`, `go_goroutines`,
	}
	for _, r := range webhook.Reasons() {
		want = append(want, `postern_webhook_requests_total{endpoint="app",result="`+string(r)+`"} 0`)
	}
	for _, r := range deadReasons() {
		want = append(want, `postern_retry_dropped_total{reason="`+r+`"} 0`)
	}
	for _, e := range smtp.Ends() {
		want = append(want, `postern_smtp_sessions_total{result="`+e.String()+`"} 0`)
	}
	for _, line := range want {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if strings.Contains(text, "oldest_enqueued") {
		t.Error("an oldest delivery is shown although nothing waits")
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

func TestObserversCount(t *testing.T) {
	m, reg := newTestMetrics(t)
	s, c := m.SMTP(), &smtp.Client{}
	s.SessionStarted(c)
	s.SessionStarted(c)
	s.Replied(c, "RCPT", 550)
	s.Replied(c, "FOO", 500)
	s.Replied(c, "END-OF-DATA", 559) // what a webhook may think up
	s.Happened(c, smtp.EventEarlyTalk)
	s.SessionEnded(c, smtp.EndQuit)
	m.Received(&mail.Envelope{ID: "m1", From: "a@example.com", Size: 2048, To: []mail.Recipient{{Address: "b@example.com"}}}, 250)
	m.Delivered(webhook.Outcome{Endpoint: "app", Result: webhook.Deferred, Reason: webhook.ReasonUnavailable, Status: 503,
		Elapsed: time.Second, Err: errors.New("503")}, false)
	m.Delivered(webhook.Outcome{Endpoint: "gone", Result: webhook.Delivered, Reason: webhook.ReasonDelivered}, true)
	m.Queued("app", false)
	m.Queued("app", true)
	w := m.Worker()
	w.Attempted(retry.Lease{Info: retry.Info{Endpoint: "app"}}, retry.Outcome{Kind: retry.Done}, time.Second)
	w.Died(retry.Lease{}, retry.ReasonExpired)
	w.Died(retry.Lease{}, "what no list has")
	m.BreakerChanged(retry.BreakerChange{Endpoint: "app", From: retry.BreakerClosed, To: retry.BreakerOpen})
	m.Reported("dsn", "sent")
	text := scrape(t, reg)
	for _, line := range []string{
		`postern_smtp_sessions_active 1`, `postern_smtp_sessions_total{result="quit"} 1`,
		`postern_smtp_replies_total{code="550",verb="RCPT"} 1`, `postern_smtp_replies_total{code="500",verb="UNKNOWN"} 1`,
		`postern_smtp_replies_total{code="500",verb="END-OF-DATA"} 1`, `postern_smtp_events_total{event="early-talk"} 1`,
		`postern_message_size_bytes_sum 2048`,
		`postern_webhook_requests_total{endpoint="app",result="unavailable"} 1`, `postern_webhook_requests_total{endpoint="other",result="delivered"} 1`,
		`postern_webhook_request_duration_seconds_sum{endpoint="app"} 1`,
		`postern_retry_enqueued_total{endpoint="app",state="due"} 1`, `postern_retry_enqueued_total{endpoint="app",state="dead"} 1`,
		`postern_retry_attempts_total{endpoint="app",result="delivered"} 1`,
		`postern_retry_dropped_total{reason="expired"} 1`, `postern_retry_dropped_total{reason="rejected"} 1`, `postern_retry_dropped_total{reason="other"} 1`,
		`postern_webhook_breaker_state{endpoint="app",state="open"} 1`, `postern_webhook_breaker_state{endpoint="app",state="closed"} 0`,
		`postern_webhook_breaker_opened_total{endpoint="app"} 1`, `postern_reports_total{kind="dsn",result="sent"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

func TestRepliesDoNotAllocate(t *testing.T) {
	m, _ := newTestMetrics(t)
	s, c := m.SMTP(), &smtp.Client{}
	if n := testing.AllocsPerRun(100, func() { s.Replied(c, "RCPT", 250) }); n != 0 {
		t.Errorf("%v allocations a reply", n)
	}
}

func TestQueueStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newMemQueue(
			retry.Info{ID: "1", Endpoint: "app", State: retry.Due, Size: 10, Received: time.Unix(1700000000, 0)},
			retry.Info{ID: "2", Endpoint: "was", State: retry.Dead, Reason: retry.ReasonExpired, Size: 5},
			retry.Info{ID: "3", Endpoint: "app", State: retry.Dead, Reason: "of an older version"},
		)
		stats := NewQueueStats(q, []string{"app"})
		reg := prometheus.NewRegistry()
		reg.MustRegister(stats)
		want := `
# HELP postern_retry_oldest_enqueued_timestamp_seconds When the oldest delivery that is due was received; absent while nothing waits.
# TYPE postern_retry_oldest_enqueued_timestamp_seconds gauge
postern_retry_oldest_enqueued_timestamp_seconds 1.7e+09
# HELP postern_retry_queue_bytes Octets stored.
# TYPE postern_retry_queue_bytes gauge
postern_retry_queue_bytes 15
# HELP postern_retry_queue_deliveries Deliveries stored by endpoint and state.
# TYPE postern_retry_queue_deliveries gauge
postern_retry_queue_deliveries{endpoint="app",state="dead"} 1
postern_retry_queue_deliveries{endpoint="app",state="due"} 1
postern_retry_queue_deliveries{endpoint="app",state="leased"} 0
postern_retry_queue_deliveries{endpoint="other",state="dead"} 1
postern_retry_queue_deliveries{endpoint="other",state="due"} 0
postern_retry_queue_deliveries{endpoint="other",state="leased"} 0
`
		names := []string{"postern_retry_oldest_enqueued_timestamp_seconds", "postern_retry_queue_bytes", "postern_retry_queue_deliveries"}
		for range 3 {
			if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
				t.Error(err)
			}
		}
		if q.asked != 1 {
			t.Errorf("the queue was asked %d times for three scrapes at once", q.asked)
		}
		q.broken = errors.New("disk on fire")
		time.Sleep(statsFresh)
		down := "# HELP postern_retry_queue_up 1 while the queue's store can be read and written, 0 while the gateway is degraded: what must wait is left with its sender.\n# TYPE postern_retry_queue_up gauge\npostern_retry_queue_up 0\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(down)); err != nil {
			t.Error(err)
		}
	})
}
