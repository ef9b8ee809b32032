package gateway

import (
	"testing"

	"postern/gateway/mail"
)

// TestRefusedByPolicy: only a failure under p=reject refuses, and never the mail of a
// client that signed in.
func TestRefusedByPolicy(t *testing.T) {
	for _, auth := range []string{"", "anna"} {
		for _, result := range []string{"pass", "fail", "none", "temperror", "permerror"} {
			for _, policy := range []string{"", "none", "quarantine", "reject"} {
				v := &mail.Authentication{}
				v.DMARC.Result, v.DMARC.Policy = result, policy
				want := auth == "" && result == "fail" && policy == "reject"
				if got := refusedByPolicy(&mail.Envelope{Auth: auth, Verdict: v}); got != want {
					t.Errorf("auth %q, %s, p=%s: %v", auth, result, policy, got)
				}
			}
		}
		if refusedByPolicy(&mail.Envelope{Auth: auth}) {
			t.Errorf("auth %q: refused without a verdict", auth)
		}
	}
}
