package dispatch

import (
	"postern/gateway/mail"
	"postern/webhook"
)

// SenderGate is the Gate that an endpoint's REQUIRE and ALLOW_FROM ask for. Who signed
// in is known and passes. Everybody else's From must be verified, and fit one of
// the patterns where there are any; what only DNS kept from being verified comes
// back later.
func SenderGate(ep *webhook.Endpoint, env *mail.Envelope, m *mail.Message) *webhook.Outcome {
	if !ep.Verified() || env.Auth != "" {
		return nil
	}
	v := env.Verdict
	switch {
	case v == nil:
		return webhook.RefusedSender("nobody checked it")
	case !v.SenderVerified && unsure(v):
		return webhook.UnsureSender(v.Reason)
	case !v.SenderVerified:
		return webhook.RefusedSender(v.Reason)
	case len(m.From) != 1 || !ep.AllowsFrom(m.From[0].Address):
		return webhook.RefusedSender("it is not among those who may write here")
	}
	return nil
}

// unsure reports whether the verdict may be another when DNS answers.
func unsure(v *mail.Authentication) bool {
	return v.DMARC.Result == "temperror" || v.DMARC.Result == "none" && tempSPFOrDKIM(v)
}

// tempSPFOrDKIM reports whether a check that might have spoken for the sender
// without a policy found no DNS.
func tempSPFOrDKIM(v *mail.Authentication) bool {
	if v.SPF.Result == "temperror" && v.SPF.Domain == v.DMARC.Domain {
		return true
	}
	for _, k := range v.DKIM {
		if k.Result == "temperror" && k.Domain == v.DMARC.Domain {
			return true
		}
	}
	return false
}
