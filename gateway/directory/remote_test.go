package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
	"postern/webhook/call"
)

// ask starts a directory with the handler and returns what asks it.
func serve(t *testing.T, h http.HandlerFunc) (*Remote, *time.Time) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r, err := NewRemote(call.Config{URL: srv.URL}, call.Deps{Now: func() time.Time { return now }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, &now
}

// TestEveryStatus holds the directory's table: a refusal counts only where the
// body repeats the address.
func TestEveryStatus(t *testing.T) {
	refusals := map[int]int{404: 550, 410: 550, 403: 550, 409: 553, 413: 552, 507: 452}
	for status := 200; status < 600; status++ {
		for _, repeats := range []bool{true, false} {
			body := response{status: status}
			if repeats {
				body.Address = "A@x.example"
			}
			want := 450
			switch {
			case status < 300:
				want = 250
			case status == 507 || repeats && refusals[status] != 0:
				want = refusals[status]
			}
			if got := classify(body, "a@x.example"); got.Code != want || int(got.Enhanced[0]) != want/100 {
				t.Errorf("status %d, address repeated %v: %d %v, want %d", status, repeats, got.Code, got.Enhanced, want)
			}
		}
	}
}

func TestRecipient(t *testing.T) {
	answer := func(w http.ResponseWriter, status int, location string, body any) {
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	r, _ := serve(t, func(w http.ResponseWriter, req *http.Request) {
		var q request
		if err := json.NewDecoder(req.Body).Decode(&q); err != nil || q.Op != "rcpt" && q.Op != "vrfy" || req.Header.Get("Webhook-Id") == "" {
			t.Errorf("the question %+v, %v", q, err)
		}
		same := map[string]any{"address": q.Address}
		switch local, _, _ := text.CutAddress(q.Address); local {
		case "known":
			answer(w, 200, "", map[string]any{})
		case "tenant":
			answer(w, 200, "", map[string]any{"address": "box@x.example", "endpoint": "tenants"})
		case "moved":
			answer(w, 307, "mailto:known@x.example", same)
		case "moved-away":
			answer(w, 302, "mailto:known@elsewhere.example", same)
		case "moved-twice":
			answer(w, 302, "mailto:moved@x.example", same)
		case "gone-away":
			answer(w, 308, "mailto:known@elsewhere.example", same)
		case "injected":
			answer(w, 302, "mailto:a%0d%0a250%20ok@x.example", same)
		case "ingress":
			w.WriteHeader(404)
			fmt.Fprint(w, "default backend - 404")
		default:
			answer(w, 404, "", same)
		}
	})
	serves := func(address string) bool { return strings.HasSuffix(address, "@x.example") }
	for _, c := range []struct {
		asked, address, endpoint string
		code                     int
	}{
		{"known@x.example", "known@x.example", "", 250},
		{"tenant+tag@x.example", "", "", 550},
		{"tenant@x.example", "box@x.example", "tenants", 250},
		{"moved@x.example", "known@x.example", "", 251},
		{"moved-away@x.example", "known@elsewhere.example", "", 551},
		{"moved-twice@x.example", "moved@x.example", "", 551},
		{"gone-away@x.example", "known@elsewhere.example", "", 551},
		{"injected@x.example", "injected@x.example", "", 450},
		{"ingress@x.example", "ingress@x.example", "", 450},
		{"stranger@x.example", "stranger@x.example", "", 550},
	} {
		a := r.Recipient(context.Background(), Query{Address: c.asked}, serves)
		if a.Code != c.code || c.address != "" && a.Address != c.address || a.Endpoint != c.endpoint {
			t.Errorf("%s: %+v, want %d %s %q", c.asked, a, c.code, c.address, c.endpoint)
		}
		verified := c.code
		if c.code == 450 { // "can't verify", for a client that only asks
			verified = 252
		}
		if a := r.Verify(context.Background(), Query{Address: c.asked}, serves); a.Code != verified {
			t.Errorf("VRFY %s: %d, and RCPT %d", c.asked, a.Code, c.code)
		}
	}
}

// TestMembers: a directory may tell members as objects or as text.
func TestMembers(t *testing.T) {
	r, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"members": [{"name": "Ann", "address": "ann@x.example"}, "bob@x.example", "\"C, D\" <cd@x.example>", "<e@x.example>", "not an address"]}`)
	})
	want := "Ann <ann@x.example>|<bob@x.example>|C, D <cd@x.example>|<e@x.example>|<not an address>"
	if got := strings.Join(r.Expand(context.Background(), Query{Address: "list"}).listed().Lines, "|"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCache(t *testing.T) {
	var asked atomic.Int64
	r, now := serve(t, func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		var q request
		json.NewDecoder(req.Body).Decode(&q)
		switch {
		case strings.HasPrefix(q.Address, "fresh"):
			w.Header().Set("Cache-Control", "private, No-Store")
		case strings.HasPrefix(q.Address, "down"):
			w.WriteHeader(500)
		case strings.HasPrefix(q.Address, "no"):
			w.WriteHeader(404)
		}
		json.NewEncoder(w).Encode(map[string]string{"address": q.Address})
	})
	all := func(string) bool { return true }
	for _, c := range []struct {
		address string
		wait    time.Duration
		want    int64 // requests for two questions with the wait between
	}{
		{"yes@x.example", 59 * time.Second, 1},
		{"yes2@x.example", 61 * time.Second, 2},
		{"no@x.example", 9 * time.Second, 1},
		{"no2@x.example", 11 * time.Second, 2},
		{"fresh@x.example", 0, 2},
		{"down@x.example", 0, 2},
	} {
		asked.Store(0)
		first := r.Recipient(context.Background(), Query{Address: c.address}, all)
		*now = now.Add(c.wait)
		if second := r.Recipient(context.Background(), Query{Address: c.address}, all); second.Code != first.Code {
			t.Errorf("%s: %d, then %d", c.address, first.Code, second.Code)
		}
		if got := asked.Load(); got != c.want {
			t.Errorf("%s after %v: %d requests, want %d", c.address, c.wait, got, c.want)
		}
	}
	asked.Store(0)
	for _, q := range []Query{{Address: "yes@x.example"}, {Address: "yes@x.example", MailFrom: "s@y.example"}, {Address: "yes@x.example", Client: "192.0.2.1"}, {Address: "yes@x.example", Hello: "h"}} {
		r.Recipient(context.Background(), q, all)
	}
	if asked.Load() < 3 {
		t.Errorf("%d requests: the cache must know every field that was sent", asked.Load())
	}
}

func TestUnreachable(t *testing.T) {
	r, err := NewRemote(call.Config{URL: "http://127.0.0.1:1/"}, call.Deps{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	if a := r.Recipient(context.Background(), Query{Address: "a@x.example"}, all); a.Code != 450 {
		t.Errorf("RCPT: %+v, want 450", a)
	}
	if a := r.Verify(context.Background(), Query{Address: "a@x.example"}, all); a.Code != 252 {
		t.Errorf("VRFY: %+v, want 252", a)
	}
	if a := r.Expand(context.Background(), Query{Address: "list"}); a.Code != 252 {
		t.Errorf("EXPN: %+v, want 252", a)
	}
}

func TestVerifyAndExpand(t *testing.T) {
	two := []Member{{"Ann", "ann@x.example"}, {"", "bob@x.example"}}
	r, _ := serve(t, func(w http.ResponseWriter, req *http.Request) {
		var q request
		json.NewDecoder(req.Body).Decode(&q)
		switch q.Address {
		case "smith":
			w.WriteHeader(409)
			json.NewEncoder(w).Encode(response{Address: q.Address, Members: two})
		case "staff":
			json.NewEncoder(w).Encode(response{Members: two})
		case "ann":
			json.NewEncoder(w).Encode(response{Name: "Ann", Address: "ann@x.example"})
		default:
			w.WriteHeader(404)
			json.NewEncoder(w).Encode(response{Address: q.Address})
		}
	})
	all := func(string) bool { return true }
	ctx := context.Background()
	if a := r.Verify(ctx, Query{Address: "smith"}, all); a.Code != 553 || len(a.Members) != 2 {
		t.Errorf("ambiguous: %+v", a)
	}
	if a := r.Verify(ctx, Query{Address: "ann"}, all); a.Code != 250 || a.Name != "Ann" || a.Address != "ann@x.example" {
		t.Errorf("one: %+v", a)
	}
	if a := r.Verify(ctx, Query{Address: "nobody"}, all); a.Code != 550 {
		t.Errorf("unknown: %+v", a)
	}
	if a := r.Expand(ctx, Query{Address: "staff"}); a.Code != 250 || len(a.Members) != 2 {
		t.Errorf("list: %+v", a)
	}
	if a := r.Expand(ctx, Query{Address: "nolist"}); a.Code != 550 {
		t.Errorf("no list: %+v", a)
	}
}

func TestPatternsAlone(t *testing.T) {
	serves := func(a string) bool { return strings.HasSuffix(a, "@in.example") }
	static := func(a string) bool { return a == "sales@in.example" }
	accepted := func(d string) bool { return strings.EqualFold(d, "in.example") }
	for _, c := range []struct {
		static   func(string) bool
		address  string
		code     int
		to, last string
	}{
		{nil, "any@in.example", 250, "any@in.example", ""},
		{nil, "any@out.example", 550, "", ""},
		{static, "sales@in.example", 250, "sales@in.example", ""},
		{static, "any@in.example", 550, "", ""},
		{static, "PostMaster@IN.example", 250, "PostMaster@IN.example", "last"},
		{static, "postmaster", 250, "postmaster@mx.example", "last"},
		{static, "postmaster@mx.example", 250, "postmaster@mx.example", "last"},
		{static, "postmaster@out.example", 550, "", ""},
	} {
		d := New(Config{Static: c.static, Serves: serves, Accepted: accepted, Last: "last", Domain: "mx.example"})
		a := d.Recipient(context.Background(), Query{Address: c.address})
		if a.Code != c.code || c.to != "" && a.Address != c.to {
			t.Errorf("%s: %+v, want %d %s", c.address, a, c.code, c.to)
		}
		if c.last != "" && c.to != "PostMaster@IN.example" && a.Endpoint != c.last {
			t.Errorf("%s goes to %q, want the last endpoint", c.address, a.Endpoint)
		}
	}
}

// TestSilentDirectoryRests: after a time-out nobody waits for the directory for
// a while; what it said before holds, and then it is asked again.
func TestSilentDirectoryRests(t *testing.T) {
	var asked atomic.Int64
	var silent atomic.Bool
	var heard lookUps
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		if silent.Load() {
			<-done
		}
		w.Write([]byte("{}"))
	}))
	defer srv.Close()
	defer close(done)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r, err := NewRemote(call.Config{URL: srv.URL, Timeout: 50 * time.Millisecond}, call.Deps{Now: func() time.Time { return now }}, &heard)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rcpt := func(address string, code int, requests int64) {
		t.Helper()
		asked.Store(0)
		a := r.Recipient(context.Background(), Query{Address: address}, func(string) bool { return true })
		if a.Code != code || asked.Load() != requests {
			t.Errorf("%s: %d with %d requests, want %d with %d", address, a.Code, asked.Load(), code, requests)
		}
	}
	rcpt("known@x.example", 250, 1)
	silent.Store(true)
	rcpt("a@x.example", 450, 1)
	rcpt("b@x.example", 450, 0)
	rcpt("known@x.example", 250, 0)
	silent.Store(false)
	now = now.Add(restAfterTimeout)
	rcpt("b@x.example", 250, 1)
	if got, want := heard.String(), "webhook:accepted webhook:unavailable rest:unavailable cache:accepted webhook:accepted"; got != want {
		t.Errorf("the observer heard %s, want %s", got, want)
	}
}

// lookUps notes what an observer hears.
type lookUps []string

func (l *lookUps) LookedUp(from Source, r Result, _ time.Duration) {
	*l = append(*l, string(from)+":"+string(r))
}

func (l *lookUps) String() string { return strings.Join(*l, " ") }

// Every answer has its result.
func TestResults(t *testing.T) {
	for code, want := range map[int]Result{250: Accepted, 252: Accepted, 251: Forwarded, 551: Forwarded, 450: Unavailable, 452: Unavailable, 550: Refused, 552: Refused, 553: Refused} {
		if got := resultOf(Answer{Reply: reply.Reply{Code: code}}); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}
