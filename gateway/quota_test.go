package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway"
	"postern/retry"
	"postern/webhook"
)

// twoTenants are an endpoint with a quota and one without.
func twoTenants(most, octets int64) []webhook.Config {
	return []webhook.Config{
		{Name: "a", Match: []string{"*@a.example"}, Defer: true, MaxQueued: most, MaxQueuedBytes: octets},
		{Name: "b", Match: []string{"*@b.example"}, Defer: true},
	}
}

// down has the endpoints of these names answer 503.
func down(names ...string) func(http.ResponseWriter, post) {
	return func(w http.ResponseWriter, p post) {
		for _, n := range names {
			if strings.HasSuffix(p.Path, "/"+n) {
				w.WriteHeader(503)
			}
		}
	}
}

// TestQuota: an endpoint that is down fills its own share, not the queue.
func TestQuota(t *testing.T) {
	for _, c := range []struct{ most, octets int64 }{{1, 0}, {0, 100}, {1, 1 << 30}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			h := newHarness(t, setting{endpoints: twoTenants(c.most, c.octets)})
			h.answers(down("a", "b"))
			k := h.dial(h.addr, "EHLO")
			want := func(what, reply, code string) {
				t.Helper()
				if !strings.HasPrefix(reply, code) {
					t.Errorf("%s: %q, want %s", what, reply, code)
				}
			}
			want("the first", k.send("MAIL", "", "x@a.example"), "250 ")
			for range 3 {
				want("the other tenant's", k.send("MAIL", "", "x@b.example"), "250 ")
			}
			want("for both", k.send("MAIL", "both@client.example", "x@a.example", "x@b.example"), "452 4.2.2")
			if n := len(h.waiting()); n != 4 {
				t.Errorf("%d deliveries wait, want 4", n)
			}
			h.answers(down("a"))
			want("for both, one takes it", k.send("MAIL", "again@client.example", "x@a.example", "x@b.example"), "452 4.2.2")
			before := len(h.got())
			want("for both, sent again", k.send("MAIL", "again@client.example", "x@a.example", "x@b.example"), "452 4.2.2")
			if posts := h.got()[before:]; len(posts) != 1 || posts[0].Path != "/a" {
				t.Errorf("the second try is posted to %v", posts)
			}
			h.answers(nil)
			want("when it works again", k.send("MAIL", "again@client.example", "x@a.example", "x@b.example"), "250 ")
		})
	}
}

// TestQuotaGivenBack: a message that one endpoint's share refuses leaves nothing on
// the account of the other.
func TestQuotaGivenBack(t *testing.T) {
	endpoints := twoTenants(1, 0)
	endpoints[1].MaxQueued = 2
	h := newHarness(t, setting{endpoints: endpoints})
	h.answers(down("a", "b"))
	k := h.dial(h.addr, "EHLO")
	if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	for range 20 { // the endpoints are asked in any order
		if got := k.send("MAIL", "", "x@a.example", "x@b.example"); !strings.HasPrefix(got, "452 4.2.2") {
			t.Fatal(got)
		}
	}
	for range 2 {
		if got := k.send("MAIL", "", "x@b.example"); !strings.HasPrefix(got, "250 ") {
			t.Error(got)
		}
	}
}

// TestQuotaLMTP: each recipient has a reply of its own.
func TestQuotaLMTP(t *testing.T) {
	h := newHarness(t, setting{endpoints: twoTenants(1, 0)})
	h.answers(down("a", "b"))
	if got := h.dial(h.addr, "EHLO").send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	k := h.dial(h.lmtp, "LHLO")
	k.say("MAIL FROM:<s@client.example>", 250)
	k.say("RCPT TO:<x@a.example>", 250)
	k.say("RCPT TO:<x@b.example>", 250)
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "Message-ID: <lmtp@client.example>\r\n\r\nx\r\n.\r\n")
	if got := k.want(452); !strings.HasPrefix(got, "452 4.2.2") {
		t.Errorf("the full endpoint's: %q", got)
	}
	k.want(250)
	if n := len(h.waiting()); n != 2 {
		t.Errorf("%d deliveries wait, want 2", n)
	}
}

// TestQuotaQueueFirst: what is stored first is refused at RCPT, and the others of
// the transaction are not.
func TestQuotaQueueFirst(t *testing.T) {
	h := newHarness(t, setting{endpoints: twoTenants(1, 0), gateway: gateway.Config{QueueFirst: true}})
	k := h.dial(h.addr, "EHLO")
	if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	k.say("MAIL FROM:<s@client.example>", 250)
	if got := k.say("RCPT TO:<x@a.example>", 452); !strings.HasPrefix(got, "452 4.2.2") {
		t.Error(got)
	}
	k.say("RCPT TO:<x@b.example>", 250)
	k.say("DATA", 354)
	fmt.Fprintf(k.c, "\r\nx\r\n.\r\n")
	k.want(250)
}

// counted is a queue that counts how often it is asked what waits.
type counted struct {
	gateway.Queue
	asked atomic.Int64
	fails atomic.Bool
}

func (c *counted) Waiting(ctx context.Context, endpoint string, most int64) (retry.Waiting, error) {
	c.asked.Add(1)
	if c.fails.Load() {
		return retry.Waiting{}, context.DeadlineExceeded
	}
	return c.Queue.Waiting(ctx, endpoint, most)
}

// TestQuotaAccount: the queue is not counted for each message, and one that can't
// be asked refuses nobody.
func TestQuotaAccount(t *testing.T) {
	c := &counted{}
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	clock.Store(time.Now().Unix())
	h := newHarness(t, setting{endpoints: twoTenants(40, 0), now: now, wrap: func(q gateway.Queue) gateway.Queue { c.Queue = q; return c }})
	h.answers(down("a"))
	k := h.dial(h.addr, "EHLO")
	for range 40 {
		if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
	}
	if n := c.asked.Load(); n != 1 {
		t.Errorf("counted %d times for 40 messages", n)
	}
	for range 5 {
		if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "452 ") {
			t.Error(got)
		}
	}
	if n := c.asked.Load(); n != 1 {
		t.Errorf("counted %d times within a second", n)
	}
	if _, err := h.queue.Delete(t.Context(), retry.Filter{Endpoint: "a"}); err != nil {
		t.Fatal(err)
	}
	clock.Add(2)
	if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("after room was made: %q", got)
	}
	c.fails.Store(true)
	clock.Add(10)
	if got := k.send("MAIL", "", "x@a.example"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("while nobody can count: %q", got)
	}
}
