package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"postern/gateway/budget"
	"postern/gateway/directory"
	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// all has everything on that has series.
type all struct {
	*Metrics
	reg    *prometheus.Registry
	queue  *fakeQueue
	store  *Store
	lookup directory.Observer
	load   []dispatch.Load
}

func newAll(t *testing.T) *all {
	t.Helper()
	a := &all{reg: prometheus.NewRegistry(), queue: &fakeQueue{}}
	a.Metrics = New(a.reg, Options{
		Version: "1.2.3", Endpoints: []string{"app", "crm"}, SpoolUsed: func() int64 { return 42 }, SpoolMaxBytes: 100,
		Memory:         func() budget.Stats { return budget.Stats{Total: 1000, Held: 100} },
		Disk:           func() (int64, int64, error) { return 7, 9, nil },
		ClockOff:       func() time.Duration { return -2 * time.Hour },
		CertificateEnd: func() time.Time { return time.Unix(2000000000, 0) },
	})
	a.store = WatchStore(a.reg, a.queue)
	a.WatchQueue(a.reg, a.queue, "postgres", 72*time.Hour)
	a.lookup = WatchDirectory(a.reg)
	a.load = []dispatch.Load{{Endpoint: "app", Slots: 64}, {Endpoint: "crm", Slots: 1}}
	WatchSlots(a.reg, func() []dispatch.Load { return a.load })
	WatchHistory(a.reg, recorder{})
	WatchKept(a.reg, keeper{})
	WatchBodies(a.reg, bodyStore{})
	return a
}

type recorder struct{}

func (recorder) Written() int64 { return 3 }
func (recorder) Dropped() int64 { return 0 }

type keeper struct{}

func (keeper) Kept() int64    { return 2 }
func (keeper) Dropped() int64 { return 0 }

// fakeQueue says what a test wants of a queue.
type fakeQueue struct {
	retry.Queue
	stats  retry.Stats
	states []retry.EndpointState
	broken error
	asked  int
	slow   time.Duration
}

func (q *fakeQueue) Health(context.Context) error { return q.broken }
func (q *fakeQueue) Stats(context.Context) (retry.Stats, error) {
	q.asked++
	time.Sleep(q.slow)
	return q.stats, q.broken
}
func (q *fakeQueue) Endpoints(context.Context) ([]retry.EndpointState, error) {
	return q.states, q.broken
}
func (q *fakeQueue) Ack(context.Context, retry.Lease, retry.Attempt) error { return q.broken }
func (q *fakeQueue) Unclean() bool                                         { return true }

func (a *all) scrape(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// has fails for each line that a scrape lacks.
func (a *all) has(t *testing.T, lines ...string) {
	t.Helper()
	text := a.scrape(t)
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

// Every name that alerts and dashboards know, each at 0 before anything happened.
func TestSeriesExistFromTheStart(t *testing.T) {
	a := newAll(t)
	want := []string{
		`postern_smtp_sessions_active 0`, `postern_smtp_events_total{event="early-talk"} 0`,
		`postern_smtp_sign_ins_total{result="ok"} 0`, `postern_smtp_sign_ins_total{result="wrong"} 0`,
		`postern_smtp_replies_total{code="250",verb="END-OF-DATA"} 0`, `postern_message_size_bytes_count 0`, `postern_message_reply_duration_seconds_count 0`,
		`postern_webhook_request_duration_seconds_count{endpoint="app"} 0`, `postern_delivery_age_seconds_count{endpoint="crm"} 0`,
		`postern_webhook_breaker_state{endpoint="app",state="closed"} 1`, `postern_webhook_breaker_state{endpoint="app",state="open"} 0`,
		`postern_webhook_breaker_opened_total{endpoint="crm"} 0`, `postern_webhook_paused{endpoint="app"} 0`,
		`postern_webhook_slots{endpoint="app"} 64`, `postern_webhook_in_flight{endpoint="app",origin="queued"} 0`, `postern_webhook_waiting{endpoint="crm",origin="fresh"} 0`,
		`postern_retry_queue_up 1`, `postern_retry_set_aside_files 0`, `postern_retry_queue_messages 0`, `postern_retry_queue_bytes 0`, `postern_retry_max_age_seconds 259200`,
		`postern_retry_queue_deliveries{endpoint="crm",state="dead"} 0`, `postern_retry_dead_letters{endpoint="app",reason="expired"} 0`,
		`postern_retry_store_operation_duration_seconds_count{operation="enqueue"} 0`, `postern_retry_store_errors_total{operation="settle"} 0`,
		`postern_retry_enqueued_total{endpoint="app",state="due"} 0`, `postern_retry_attempts_total{endpoint="app",result="retry"} 0`,
		`postern_directory_lookups_total{result="accepted",source="cache"} 0`, `postern_directory_request_duration_seconds_count 0`,
		`postern_history_written_total 3`, `postern_history_dropped_total 0`,
		`postern_reports_total{kind="dsn",result="sent"} 0`, `postern_spool_bytes 42`, `postern_spool_max_bytes 100`,
		`postern_clock_offset_seconds -7200`, `postern_disk_available_bytes 7`, `postern_disk_size_bytes 9`,
		`postern_memory_budget_bytes 1000`, `postern_memory_held_bytes 100`, `postern_memory_taken_bytes 0`, `postern_memory_waiting 0`, `postern_memory_refused_total 0`,
		`postern_tls_certificate_not_after_timestamp_seconds 2e+09`, `postern_build_info{goversion="`, `go_goroutines`,
	}
	for _, r := range deadReasons() {
		want = append(want, `postern_retry_dropped_total{endpoint="other",reason="`+r+`"} 0`)
	}
	for _, e := range smtp.Ends() {
		want = append(want, `postern_smtp_sessions_total{result="`+e.String()+`"} 0`)
	}
	a.has(t, want...)
	if strings.Contains(a.scrape(t), "oldest_enqueued") {
		t.Error("an oldest delivery is shown although nothing waits")
	}
	if problems, err := testutil.GatherAndLint(a.reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

// A reason is a request's or that of none, never both: what an operator paused
// is no failing webhook.
func TestWhatWasNotPostedIsNoRequest(t *testing.T) {
	withheld := map[webhook.Reason]bool{"breaker_open": true, "no_slot": true, "paused": true, "no_memory": true, "render": true, "insecure": true, "sender": true, "unsure": true}
	a := newAll(t)
	for _, r := range webhook.Reasons() {
		a.Delivered(webhook.Outcome{Endpoint: "app", Reason: r, Elapsed: time.Second}, time.Second)
	}
	text := a.scrape(t)
	for _, r := range webhook.Reasons() {
		request := strings.Contains(text, "\n"+`postern_webhook_requests_total{endpoint="app",result="`+string(r)+`"} 1`)
		none := strings.Contains(text, "\n"+`postern_webhook_withheld_total{endpoint="app",reason="`+string(r)+`"} 1`)
		if request == withheld[r] || none != withheld[r] {
			t.Errorf("%s: a request %v, withheld %v", r, request, none)
		}
	}
	a.has(t, `postern_webhook_request_duration_seconds_count{endpoint="app"} 12`)
}

func TestObserversCount(t *testing.T) {
	a := newAll(t)
	s, c := a.SMTP(), &smtp.Client{}
	s.SessionStarted(c)
	s.SessionStarted(c)
	s.Replied(c, "RCPT", 550)
	s.Replied(c, "FOO", 500)
	s.Replied(c, "END-OF-DATA", 559) // what a webhook may think up
	s.Happened(c, smtp.EventEarlyTalk)
	s.SignedIn(c, smtp.SignInWrong)
	s.SessionEnded(c, smtp.EndQuit)
	a.Received(&mail.Envelope{ID: "m1", From: "a@example.com", Size: 2048, To: []mail.Recipient{{Address: "b@example.com"}}}, 250, 2*time.Second)
	a.Delivered(webhook.Outcome{Endpoint: "app", Result: webhook.Deferred, Reason: webhook.ReasonUnavailable, Status: 503,
		Elapsed: time.Second, Err: errors.New("503")}, time.Second)
	a.Delivered(webhook.Outcome{Endpoint: "gone", Result: webhook.Delivered, Reason: webhook.ReasonDelivered}, time.Hour)
	a.Queued("app", false)
	a.Queued("app", true)
	w := a.Worker()
	w.Attempted(retry.Lease{Info: retry.Info{Endpoint: "app"}}, retry.Outcome{Kind: retry.Done}, time.Second)
	w.Died(retry.Lease{}, retry.ReasonExpired)
	w.Died(retry.Lease{}, "what no list has")
	a.BreakerChanged(retry.BreakerChange{Endpoint: "app", From: retry.BreakerClosed, To: retry.BreakerOpen})
	a.BreakersRestored([]retry.BreakerInfo{{Endpoint: "crm", State: retry.BreakerHalfOpen}})
	a.Reported("dsn", "sent")
	a.lookup.LookedUp(directory.Asked, directory.Refused, time.Second)
	a.lookup.LookedUp(directory.Cached, directory.Accepted, 0)
	a.load = []dispatch.Load{{Endpoint: "app", Slots: 4, Busy: [2]int{2, 1}, Waiting: [2]int{0, 5}}}
	_ = a.store.Ack(t.Context(), retry.Lease{}, retry.Attempt{})
	a.queue.broken = retry.ErrLeaseLost
	_ = a.store.Ack(t.Context(), retry.Lease{}, retry.Attempt{})
	a.queue.broken = errors.New("disk on fire")
	if err := a.store.Ack(t.Context(), retry.Lease{}, retry.Attempt{}); !errors.Is(err, a.queue.broken) {
		t.Error(err)
	}
	a.has(t,
		"postern_smtp_sessions_active 1\n", `postern_smtp_sessions_total{result="quit"} 1`, `postern_smtp_sign_ins_total{result="wrong"} 1`,
		`postern_smtp_replies_total{code="550",verb="RCPT"} 1`, `postern_smtp_replies_total{code="500",verb="UNKNOWN"} 1`,
		`postern_smtp_replies_total{code="500",verb="END-OF-DATA"} 1`, `postern_smtp_events_total{event="early-talk"} 1`,
		`postern_message_size_bytes_sum 2048`, `postern_message_reply_duration_seconds_sum 2`,
		`postern_webhook_requests_total{endpoint="app",result="unavailable"} 1`, `postern_webhook_requests_total{endpoint="other",result="delivered"} 1`,
		`postern_webhook_request_duration_seconds_sum{endpoint="app"} 1`, `postern_delivery_age_seconds_count{endpoint="app"} 0`, `postern_delivery_age_seconds_sum{endpoint="other"} 3600`,
		`postern_retry_enqueued_total{endpoint="app",state="due"} 1`, `postern_retry_enqueued_total{endpoint="app",state="dead"} 1`,
		`postern_retry_attempts_total{endpoint="app",result="delivered"} 1`,
		`postern_retry_dropped_total{endpoint="other",reason="expired"} 1`, `postern_retry_dropped_total{endpoint="app",reason="rejected"} 1`, `postern_retry_dropped_total{endpoint="other",reason="other"} 1`,
		`postern_webhook_breaker_state{endpoint="app",state="open"} 1`, `postern_webhook_breaker_state{endpoint="app",state="closed"} 0`, `postern_webhook_breaker_state{endpoint="crm",state="half-open"} 1`,
		`postern_webhook_breaker_opened_total{endpoint="app"} 1`, `postern_reports_total{kind="dsn",result="sent"} 1`,
		`postern_directory_lookups_total{result="refused",source="webhook"} 1`, `postern_directory_request_duration_seconds_sum 1`,
		`postern_webhook_in_flight{endpoint="app",origin="fresh"} 2`, `postern_webhook_in_flight{endpoint="app",origin="queued"} 1`, `postern_webhook_waiting{endpoint="app",origin="queued"} 5`,
		`postern_retry_store_operation_duration_seconds_count{operation="settle"} 3`, `postern_retry_store_errors_total{operation="settle"} 1`)
	if !a.store.Unclean() {
		t.Error("what the engine knows of its last owner is hidden")
	}
}

// What every mail passes allocates nothing.
func TestTheHotPathDoesNotAllocate(t *testing.T) {
	a := newAll(t)
	s, c, e := a.SMTP(), &smtp.Client{}, &mail.Envelope{Size: 2048}
	if n := testing.AllocsPerRun(100, func() {
		s.Replied(c, "RCPT", 250)
		a.Received(e, 250, time.Second)
		a.Delivered(webhook.Outcome{Endpoint: "app", Result: webhook.Delivered, Reason: webhook.ReasonDelivered, Elapsed: time.Second}, time.Second)
		a.Queued("app", false)
		_ = a.store.Ack(context.Background(), retry.Lease{}, retry.Attempt{})
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestQueueStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAll(t)
		a.queue.stats = retry.Stats{Bytes: 15, Messages: 3,
			Endpoints: map[string]retry.Counts{"app": {Due: 1, Dead: 1}, "was": {Dead: 1}},
			OldestOf:  map[string]time.Time{"app": time.Unix(1700000000, 0)},
			DeadOf:    map[retry.DeadKind]int64{{Endpoint: "was", Reason: retry.ReasonExpired}: 1, {Endpoint: "app", Reason: "of an older version"}: 1},
		}
		a.queue.states = []retry.EndpointState{{Endpoint: "crm", Paused: true}}
		for range 3 {
			a.has(t, `postern_retry_oldest_enqueued_timestamp_seconds{endpoint="app"} 1.7e+09`, "postern_retry_queue_bytes 15\n",
				`postern_retry_queue_deliveries{endpoint="app",state="dead"} 1`, `postern_retry_queue_deliveries{endpoint="app",state="due"} 1`,
				`postern_retry_queue_deliveries{endpoint="app",state="leased"} 0`, `postern_retry_queue_deliveries{endpoint="other",state="dead"} 1`,
				`postern_retry_dead_letters{endpoint="other",reason="expired"} 1`, `postern_retry_dead_letters{endpoint="app",reason="other"} 1`,
				`postern_webhook_paused{endpoint="crm"} 1`, `postern_webhook_paused{endpoint="app"} 0`)
		}
		if a.queue.asked != 1 {
			t.Errorf("the queue was asked %d times for three scrapes at once", a.queue.asked)
		}
		time.Sleep(statsFresh)
		a.queue.slow = time.Second
		a.scrape(t)
		time.Sleep(statsShare*time.Second - 1)
		a.scrape(t)
		if a.queue.asked != 2 {
			t.Error("counting takes more than its share of a slow store's time")
		}
		a.queue.broken = errors.New("disk on fire")
		time.Sleep(statsFresh)
		down := "# HELP postern_retry_queue_up 1 while the queue's store can be read and written, 0 while the gateway is degraded: what must wait is left with its sender.\n# TYPE postern_retry_queue_up gauge\npostern_retry_queue_up 0\n"
		if err := testutil.GatherAndCompare(a.reg, strings.NewReader(down), "postern_retry_queue_up", "postern_retry_queue_bytes", "postern_webhook_paused"); err != nil {
			t.Error(err)
		}
	})
}

// A volume that can't be asked has no series, and harms no scrape.
func TestDiskThatIsGone(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(disk(func() (int64, int64, error) { return 0, 0, errors.New("gone") }))
	if n, err := testutil.GatherAndCount(reg); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// sometime is something that waits.
var sometime = map[string]time.Time{"app": time.Unix(1700000000, 0)}
