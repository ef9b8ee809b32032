package gateway

import (
	"testing"

	"postern/gateway/smtp/reply"
	"postern/webhook"
)

// TestDecide walks every set of up to three ends of deliveries, with the queue
// on and off, and holds the decision to the rules instead of to a list.
func TestDecide(t *testing.T) {
	reply := func(code int) *reply.Reply { return &reply.Reply{Code: code, Lines: []string{"said so"}} }
	ends := map[string]disposition{
		"delivered":    {Outcome: webhook.Outcome{Result: webhook.Delivered, Reason: webhook.ReasonDelivered, Status: 200}},
		"taken before": {already: true},
		"deferred":     {Outcome: webhook.Outcome{Result: webhook.Deferred, Reason: webhook.ReasonUnavailable, Status: 503}},
		"asked":        {Outcome: webhook.Outcome{Result: webhook.Deferred, Reason: webhook.ReasonAsked, Status: 503, Reply: reply(450)}},
		"DEFER=false":  {Outcome: webhook.Outcome{Result: webhook.Deferred, Reason: webhook.ReasonUnavailable, Status: 503}, tempfail: true},
		"copy rejects": {copy: true, Outcome: webhook.Outcome{Result: webhook.Rejected, Reason: webhook.ReasonRejected, Status: 406}},
		"rejected":     {Outcome: webhook.Outcome{Result: webhook.Rejected, Reason: webhook.ReasonRejected, Status: 406}},
		"gate":         {Outcome: webhook.Outcome{Result: webhook.Rejected, Reason: webhook.ReasonSender, Reply: reply(550)}},
		"rejected 550": {Outcome: webhook.Outcome{Result: webhook.Rejected, Reason: webhook.ReasonRejected, Status: 406, Reply: reply(550)}},
	}
	var sets [][]string
	for a := range ends {
		sets = append(sets, []string{a})
		for b := range ends {
			sets = append(sets, []string{a, b})
			for c := range ends {
				sets = append(sets, []string{a, b, c})
			}
		}
	}
	for _, set := range sets {
		for _, queueOn := range []bool{true, false} {
			has := map[string]int{}
			var endings []disposition
			for _, name := range set {
				has[name]++
				endings = append(endings, ends[name])
			}
			v := decide(endings, queueOn)
			own := has["rejected"] + has["rejected 550"]
			rejected := own + has["copy rejects"]
			keeps := has["asked"]+has["DEFER=false"] > 0 || has["deferred"] > 0 && !queueOn
			switch {
			case keeps:
				if v.reply.Code/100 != 4 || v.enqueue {
					t.Errorf("%v queue=%v: %+v, want a 4xx and nothing stored", set, queueOn, v)
				}
				if has["asked"] > 0 && v.reply.Code != 450 {
					t.Errorf("%v queue=%v: %+v, want the webhook's own 450", set, queueOn, v)
				}
			case rejected+has["gate"] == len(set), own > 0 && !queueOn:
				if v.reply.Code/100 != 5 || v.enqueue {
					t.Errorf("%v queue=%v: %+v, want a 5xx and nothing stored", set, queueOn, v)
				}
				if has["rejected 550"] > 0 && v.reply.Code != 550 {
					t.Errorf("%v queue=%v: %+v, want the webhook's own 550", set, queueOn, v)
				}
			default:
				if want := queueOn && rejected+has["deferred"] > 0; v.reply.Code != 0 || v.enqueue != want {
					t.Errorf("%v queue=%v: %+v, want 250 and store=%v", set, queueOn, v, want)
				}
			}
		}
	}
}

// What was found first stays, but for a recipient's own endpoint beside a copy
// and an explicit reply beside the table's.
func TestFirst(t *testing.T) {
	said := &reply.Reply{Code: 550}
	kind := map[string]disposition{
		"own": {}, "own that says": {Outcome: webhook.Outcome{Reply: said}},
		"copy": {copy: true}, "copy that says": {copy: true, Outcome: webhook.Outcome{Reply: said}},
	}
	second := map[[2]string]bool{
		{"own", "own that says"}: true, {"copy", "copy that says"}: true,
		{"copy", "own"}: true, {"copy", "own that says"}: true, {"copy that says", "own"}: true, {"copy that says", "own that says"}: true,
	}
	for a := range kind {
		for b := range kind {
			have, next := kind[a], kind[b]
			if got := foremost(&have, &next) == &next; got != second[[2]string{a, b}] {
				t.Errorf("%s, then %s: the second wins %v", a, b, got)
			}
		}
	}
	if e := kind["own"]; foremost(nil, &e) != &e {
		t.Error("the first isn't found")
	}
}
