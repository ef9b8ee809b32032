package dispatch

import (
	"fmt"
	"strings"
	"testing"

	"postern/gateway/mail"
	"postern/webhook"
)

// TestSenderGate walks the gate over everything that it looks at.
func TestSenderGate(t *testing.T) {
	endpoint := func(require string, allow ...string) *webhook.Endpoint {
		ep, err := webhook.NewEndpoint(webhook.Config{Name: "e", URL: "http://hook.example/", Require: require, AllowFrom: allow})
		if err != nil {
			t.Fatal(err)
		}
		return ep
	}
	open, verified, few := endpoint(""), endpoint(webhook.Verified), endpoint("", "ann@a.example", "*@b.example")
	results := []string{"", "pass", "fail", "none", "temperror", "permerror"}
	froms := map[string][]mail.Address{
		"listed": {{Address: "Ann+x@A.example"}}, "domain": {{Address: "x@b.example"}}, "other": {{Address: "bob@a.example"}},
		"several": {{Address: "ann@a.example"}, {Address: "x@b.example"}}, "nobody": nil,
	}
	for name, ep := range map[string]*webhook.Endpoint{"open": open, "verified": verified, "few": few} {
		for _, signedIn := range []string{"", "user"} {
			for _, checked := range []bool{false, true} {
				for _, proven := range []bool{false, true} {
					for _, dmarc := range results {
						for who, from := range froms {
							env := &mail.Envelope{Auth: signedIn}
							if checked {
								env.Verdict = &mail.Authentication{SenderVerified: proven, DMARC: mail.DMARCResult{Result: dmarc}, Reason: "because"}
							}
							got := ""
							if o := SenderGate(ep, env, &mail.Message{From: from}); o != nil {
								r := o.SMTPReplyQueued()
								got = fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Enhanced[0], r.Enhanced[1], r.Enhanced[2], strings.Join(r.Lines, " "))
							}
							want := ""
							switch {
							case name == "open" || signedIn != "":
							case !checked:
								want = "550 5.7.1 Sender refused: nobody checked it"
							case !proven && dmarc == "temperror":
								want = "451 4.7.0 Sender can't be verified now: because"
							case !proven:
								want = "550 5.7.1 Sender refused: because"
							case who == "several" || who == "nobody", name == "few" && who == "other":
								want = "550 5.7.1 Sender refused: it is not among those who may write here"
							}
							if strings.TrimSpace(got) != want {
								t.Errorf("%s, signed in %q, checked %v, proven %v, dmarc %q, from %s: %q, want %q", name, signedIn, checked, proven, dmarc, who, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// TestSenderGateWithoutPolicy: where no policy stands for the domain, only a check of
// that very domain which found no DNS brings the mail back later.
func TestSenderGateWithoutPolicy(t *testing.T) {
	ep, err := webhook.NewEndpoint(webhook.Config{Name: "e", URL: "http://hook.example/", Require: webhook.Verified})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spf, dkim, domain string
		want              webhook.Result
	}{
		{"temperror", "", "a.example", webhook.Deferred}, {"fail", "temperror", "a.example", webhook.Deferred},
		{"temperror", "temperror", "b.example", webhook.Rejected}, {"fail", "fail", "a.example", webhook.Rejected},
	} {
		v := &mail.Authentication{SPF: mail.SPFResult{Result: c.spf, Domain: c.domain}, DMARC: mail.DMARCResult{Result: "none", Domain: "a.example"}}
		if c.dkim != "" {
			v.DKIM = []mail.DKIMResult{{Result: c.dkim, Domain: c.domain}}
		}
		if o := SenderGate(ep, &mail.Envelope{Verdict: v}, &mail.Message{}); o == nil || o.Result != c.want {
			t.Errorf("%+v: %+v", c, o)
		}
	}
}
