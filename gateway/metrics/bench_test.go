package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/gateway/mail"
	"postern/webhook"
)

// What one delivered message costs in counting.
func BenchmarkObserve(b *testing.B) {
	m := New(prometheus.NewRegistry(), Options{Endpoints: []string{"app"}})
	e := &mail.Envelope{ID: "m1", From: "a@example.org", To: []mail.Recipient{{Address: "b@example.com"}}, Size: 32 << 10}
	o := webhook.Outcome{Endpoint: "app", Result: webhook.Delivered, Reason: webhook.ReasonDelivered, Status: 200, Elapsed: time.Millisecond}
	s := m.SMTP()
	b.ReportAllocs()
	for b.Loop() {
		for _, verb := range []string{"MAIL", "RCPT", "DATA", "END-OF-DATA"} {
			s.Replied(nil, verb, 250)
		}
		m.Delivered(o, time.Millisecond)
		m.Received(e, 250, time.Millisecond)
	}
}
