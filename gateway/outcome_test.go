package gateway

import (
	"errors"
	"testing"
	"time"

	"postern/gateway/dispatch"
	"postern/gateway/mail"
	"postern/gateway/smtp/reply"
	"postern/retry"
	"postern/webhook"
)

// TestSettled walks every reason, answered or not, cut short by us or not.
func TestSettled(t *testing.T) {
	at := time.Unix(1, 0)
	for _, reason := range webhook.Reasons() {
		for _, result := range []webhook.Result{webhook.Deferred, webhook.Delivered, webhook.Rejected} {
			for _, status := range []int{0, 503} {
				for _, cut := range []bool{false, true} {
					o := webhook.Outcome{Result: result, Reason: reason, Status: status, After: time.Hour, Err: errors.New("why")}
					got := retryOutcome(o, at, cut)
					want := map[webhook.Result]retry.OutcomeKind{webhook.Deferred: retry.Later, webhook.Delivered: retry.Done, webhook.Rejected: retry.GiveUp}[result]
					if !dispatch.Asked(o) || cut && result == webhook.Deferred && status == 0 {
						want = retry.Skip
					}
					if got.Kind != want || got.After != time.Hour || got.Reason != string(reason) || got.Attempt.At != at || got.Attempt.Error != "why" {
						t.Errorf("%s, result %d, status %d, cut %v: %+v, want kind %d", reason, result, status, cut, got, want)
					}
				}
			}
		}
	}
}

// TestSettlementOfEach: whoever is left of a delivery becomes a part with an
// end of its own; a delivery that ended alike for all is not divided.
func TestSettlementOfEach(t *testing.T) {
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "e", URL: "http://127.0.0.1/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		answers map[string]int
		kind    retry.OutcomeKind
		parts   map[string]retry.OutcomeKind
	}{
		{"all taken", map[string]int{"a": 250, "b": 250}, retry.Done, nil},
		{"all later", map[string]int{"a": 450, "b": 450}, retry.Later, nil},
		{"all rejected", map[string]int{"a": 550, "b": 550}, retry.GiveUp, nil},
		{"one later", map[string]int{"a": 450}, retry.Divided, map[string]retry.OutcomeKind{"a": retry.Later}},
		{"each its own", map[string]int{"a": 450, "b": 550}, retry.Divided, map[string]retry.OutcomeKind{"a": retry.Later, "b": retry.GiveUp}},
		{"one later, one taken", map[string]int{"a": 250, "b": 550}, retry.Divided, map[string]retry.OutcomeKind{"b": retry.GiveUp}},
	} {
		d := &dispatch.Delivery{ID: "whole", Endpoint: ep, Mail: dispatch.NewMail(&mail.Envelope{Key: "k"}, nil),
			To: []mail.Recipient{{Address: "a"}, {Address: "b"}}, Outcome: webhook.Outcome{Result: webhook.Delivered, Reason: webhook.ReasonDelivered, Status: 200, Recipients: map[string]reply.Reply{}}}
		for address, code := range c.answers {
			d.Outcome.Recipients[address] = reply.Standard(code)
		}
		got := outcomeOf(d, time.Unix(1, 0), false)
		if got.Kind != c.kind || len(got.Parts) != len(c.parts) {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		for _, p := range got.Parts {
			if len(p.Recipients) != 1 || p.Outcome.Kind != c.parts[p.Recipients[0]] || p.ID == "whole" || p.Outcome.Attempt.Status != 200 {
				t.Errorf("%s: part %+v", c.name, p)
			}
		}
	}
}

// TestSpeaksFor: only a recipient's own endpoint says that its mail arrived.
func TestSpeaksFor(t *testing.T) {
	make := func(c webhook.Config) *webhook.Endpoint {
		c.URL = "http://127.0.0.1/"
		ep, err := webhook.NewEndpoint(c)
		if err != nil {
			t.Fatal(err)
		}
		return ep
	}
	own, copy := make(webhook.Config{Name: "own"}), make(webhook.Config{Name: "copy", Copy: true})
	live, liveCopy := make(webhook.Config{Name: "live", Terminal: true}), make(webhook.Config{Name: "live copy", Terminal: true, Copy: true})
	for _, c := range []struct {
		ep   *webhook.Endpoint
		all  []*webhook.Endpoint
		want bool
	}{
		{own, []*webhook.Endpoint{copy, own}, true},
		{copy, []*webhook.Endpoint{copy, own}, false},
		{copy, []*webhook.Endpoint{copy}, true},
		{copy, []*webhook.Endpoint{copy, live}, true},
		{live, []*webhook.Endpoint{live, own}, true},
		{liveCopy, []*webhook.Endpoint{liveCopy, live, own}, false},
		{liveCopy, []*webhook.Endpoint{liveCopy, own}, true},
	} {
		if got := speaksFor(c.ep, c.all); got != c.want {
			t.Errorf("%s among %v: %v", c.ep, c.all, got)
		}
	}
}
