package gateway_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// by is a harness in whose queue a mail waits that came with BY, a clock that it
// goes by, and what its reporter hears.
func by(t *testing.T, value string) (*harness, *atomic.Int64, *told) {
	t.Helper()
	return slowBy(t, value, "a@in.example", 0)
}

// slowBy is by for a recipient, where the webhook takes so long to answer.
func slowBy(t *testing.T, value, to string, took time.Duration, endpoints ...webhook.Config) (*harness, *atomic.Int64, *told) {
	t.Helper()
	heard, ahead := &told{}, new(atomic.Int64)
	h := newHarness(t, setting{
		endpoints: endpoints,
		reporter:  heard, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		smtp: func(c *smtp.Config) { c.DSN, c.DeliverBy = true, true },
	})
	h.answers(slowly(ahead, took))
	k := h.dial(h.addr, "EHLO")
	k.say("MAIL FROM:<sender@client.example> BY="+value, 250)
	k.say("RCPT TO:<"+to+">", 250)
	k.say("DATA", 354)
	fmt.Fprint(k.c, "Message-ID: <by@client.example>\r\n\r\nx\r\n.\r\n")
	k.want(250)
	return h, ahead, heard
}

// slowly answers 503 after so long.
func slowly(ahead *atomic.Int64, took time.Duration) func(http.ResponseWriter, post) {
	return func(w http.ResponseWriter, _ post) {
		ahead.Add(int64(took))
		w.WriteHeader(503)
	}
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

// TestReturnByOnlyWhatIsReturned: where nobody would be told of the end, and for
// copies, mail is tried as long as any.
func TestReturnByOnlyWhatIsReturned(t *testing.T) {
	both := []webhook.Config{{Name: "copy", Copy: true, Defer: true}, {Name: "main", Match: []string{"*@in.example"}, Defer: true}}
	for to, want := range map[string]time.Duration{"a@in.example": 100 * time.Second, "untold@in.example": 72 * time.Hour} {
		h, _, _ := slowBy(t, "100;R", to, 0, both...)
		w := h.waiting()
		if len(w) != 2 {
			t.Fatalf("%s: %d deliveries wait", to, len(w))
		}
		for _, i := range w {
			want := want
			if i.Endpoint == "copy" {
				want = 72 * time.Hour
			}
			if life := i.Expires.Sub(i.Received); life < want-time.Minute || life > want+time.Minute {
				t.Errorf("%s at %s: it waits %v, want %v", to, i.Endpoint, life, want)
			}
		}
	}
}

// TestTellOnce: one notice, whichever attempt goes on behind the time.
func TestTellOnce(t *testing.T) {
	for name, c := range map[string]struct {
		value   string
		inline  time.Duration // how long the first attempt takes
		later   []time.Duration
		atOnce  string
		thereat []string
	}{
		"the first": {"5;N", 8 * time.Second, []time.Duration{0, 0}, "a@in.example", []string{"", ""}},
		"a queued":  {"5;N", time.Second, []time.Duration{20 * time.Second, 0}, "", []string{"a@in.example", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			h, ahead, heard := slowBy(t, c.value, "a@in.example", c.inline)
			if got := heard.delays(); got != c.atOnce {
				t.Errorf("when it is stored %q is told, want %q", got, c.atOnce)
			}
			for i, took := range c.later {
				h.answers(slowly(ahead, took))
				l := waitingLease(h)
				l.Left = time.Hour
				o := h.gateway.Deliver(t.Context(), l)
				if got := heard.delays(); o.Kind != retry.Later || got != c.thereat[i] {
					t.Errorf("attempt %d: %q is told, want %q (%+v)", i+2, got, c.thereat[i], o)
				}
				h.must(h.queue.Retry(t.Context(), l, time.Millisecond, o.Attempt))
			}
		})
	}
}
