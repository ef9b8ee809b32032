package report

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"postern/gateway/mail"
)

// The conditions of NOTIFY that we report on (RFC 3461 section 4.1).
const (
	onFailure = "FAILURE"
	onSuccess = "SUCCESS"
	onDelay   = "DELAY"
)

// askedToHear lists those of the recipients whose end the sender wants to hear
// of: where NOTIFY names the condition, and of failures and delays where it names
// none.
func askedToHear(recipients []mail.Recipient, condition string) []mail.Recipient {
	var out []mail.Recipient
	for _, to := range recipients {
		asked := slices.ContainsFunc(to.Notify, func(s string) bool { return strings.EqualFold(s, condition) })
		if len(to.Notify) == 0 {
			asked = condition != onSuccess
		}
		if asked {
			out = append(out, to)
		}
	}
	return out
}

// withhold says why the sender must not be told; "" lets the notification go.
func withhold(env *mail.Envelope, to []mail.Recipient) string {
	switch {
	case env.From == "":
		return "the sender is the null sender"
	case len(to) == 0:
		return "the sender asked not to be told (NOTIFY)"
	case !proved(env):
		return "the sender didn't prove who it is"
	}
	return ""
}

// proved reports whether the reverse-path is the sender's own: it signed in, its
// client may send for the reverse-path's domain (SPF), or its mail is verified and
// the verified domain is the reverse-path's. A signature of one's own domain proves
// nothing about somebody else's reverse-path.
func proved(env *mail.Envelope) bool {
	if env.Auth != "" {
		return true
	}
	v := env.Verdict
	if v == nil {
		return false
	}
	domain := env.From[strings.LastIndexByte(env.From, '@')+1:]
	if v.SPF.Result == "pass" && strings.EqualFold(v.SPF.Domain, domain) {
		return true
	}
	return v.SenderVerified && v.DMARC.Domain != "" && organisation(v.DMARC.Domain) == organisation(domain)
}

// organisation is the domain that was registered (RFC 7489 section 3.2).
func organisation(domain string) string {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if o, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return o
	}
	return domain
}
