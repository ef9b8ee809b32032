package gateway_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway/smtp"
	"postern/retry"
)

// by is a harness in whose queue a mail waits that came with BY, a clock that it
// goes by, and what its reporter hears.
func by(t *testing.T, value string) (*harness, *atomic.Int64, *told) {
	t.Helper()
	heard, ahead := &told{}, new(atomic.Int64)
	h := newHarness(t, setting{
		reporter: heard, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		smtp: func(c *smtp.Config) { c.DSN, c.DeliverBy = true, true },
	})
	h.answers(status(503))
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<sender@client.example> BY="+value, 250)
	k.say("RCPT TO:<a@in.example>", 250)
	k.say("DATA", 354)
	fmt.Fprint(k.c, "Message-ID: <by@client.example>\r\n\r\nx\r\n.\r\n")
	k.want(250)
	return h, ahead, heard
}

// TestReturnBy: mail that its sender wants back by a time waits no longer.
func TestReturnBy(t *testing.T) {
	for value, want := range map[string]time.Duration{"100;R": 100 * time.Second, "100;rt": 100 * time.Second, "100;N": 72 * time.Hour, "999999999;R": 72 * time.Hour} {
		h, _, heard := by(t, value)
		w := h.waiting()
		if len(w) != 1 {
			t.Fatalf("BY=%s: %d deliveries wait", value, len(w))
		}
		if life := w[0].Expires.Sub(w[0].Received); life < want-time.Minute || life > want+time.Minute {
			t.Errorf("BY=%s: it waits %v, want %v", value, life, want)
		}
		if late := heard.delays(); late != "" {
			t.Errorf("BY=%s: %s is told of a delay", value, late)
		}
	}
}

// TestTellBy: who wants to know by a time of a mail that goes on to be tried is told
// once, by the first attempt after it.
func TestTellBy(t *testing.T) {
	for _, value := range []string{"-5;N", "0;N"} {
		if h, _, heard := by(t, value); heard.delays() != "a@in.example" || len(h.waiting()) != 1 {
			t.Errorf("BY=%s: nobody is told", value)
		}
	}
	h, ahead, heard := by(t, "3600;N")
	for _, step := range []struct {
		at   time.Duration
		want string
	}{{time.Minute, ""}, {2 * time.Hour, "a@in.example"}, {3 * time.Hour, ""}} {
		ahead.Store(int64(step.at))
		l := waitingLease(h)
		l.Left = time.Hour
		o := h.gateway.Deliver(t.Context(), l)
		if got := heard.delays(); o.Kind != retry.Later || got != step.want {
			t.Errorf("after %v: %q is told, want %q (%+v)", step.at, got, step.want, o)
		}
		h.must(h.queue.Retry(t.Context(), l, time.Minute, o.Attempt))
	}
}
