package auth

import (
	"fmt"
	"strings"

	"postern/gateway/mail"
)

// reason says in words why the sender is verified or not.
func (e *evidence) reason(a *mail.Authentication) string {
	domain := e.m.author()
	switch {
	case e.m.several:
		return "several From addresses: nobody can vouch for all of them"
	case domain == "":
		return "From has no address"
	case a.DMARC.Result == pass:
		return e.passed(a, domain)
	case a.DMARC.Result == tempError:
		return e.trouble(a, domain)
	case a.SenderVerified:
		return e.without(domain)
	case a.DMARC.Result == none:
		return fmt.Sprintf("%s has no policy, and neither spf (%s) nor dkim (%s) speaks for it", domain, e.spfWord(a), dkimWord(a))
	case a.DMARC.Result == "":
		return fmt.Sprintf("spf not checked: %s; dkim (%s) does not speak for %s", e.m.unchecked, dkimWord(a), domain)
	}
	return fmt.Sprintf("dmarc fail: neither spf (%s) nor dkim (%s) speaks for %s, whose policy is %s", e.spfWord(a), dkimWord(a), domain, a.DMARC.Policy)
}

func (e *evidence) passed(a *mail.Authentication, domain string) string {
	lost := a.SPF.Result == fail || a.SPF.Result == "softfail" || a.SPF.Result == neutral || a.SPF.Result == pass && !e.spf
	switch {
	case e.spf && e.dkim != "":
		return "dmarc pass by spf and dkim d=" + e.dkim
	case e.spf:
		return "dmarc pass by spf of " + a.SPF.Domain
	case lost && related(a.SPF.Domain, domain):
		return "forwarded: dkim of " + e.dkim + " survived"
	}
	return "dmarc pass by dkim d=" + e.dkim
}

func (e *evidence) without(domain string) string {
	switch {
	case e.spf && e.dkim != "":
		return "spf and dkim d=" + e.dkim + ", no policy"
	case e.spf:
		return "spf only, no policy"
	}
	return "dkim d=" + e.dkim + " only, no policy"
}

// trouble names what DNS didn't answer.
func (e *evidence) trouble(a *mail.Authentication, domain string) string {
	switch {
	case e.err != nil:
		return "DNS trouble: the policy of " + domain + " can't be looked up"
	case a.SPF.Result == tempError:
		return "DNS trouble: spf of " + a.SPF.Domain + " can't be checked"
	}
	return "DNS trouble: what could speak for " + domain + " can't be looked up"
}

func (e *evidence) spfWord(a *mail.Authentication) string {
	switch {
	case e.m.unchecked != "":
		return "not checked"
	case a.SPF.Result == pass:
		return "pass for " + a.SPF.Domain
	}
	return a.SPF.Result
}

// dkimWord is what the signatures say together.
func dkimWord(a *mail.Authentication) string {
	if len(a.DKIM) == 0 {
		return none
	}
	for _, k := range a.DKIM {
		if k.Result == pass {
			return "pass for " + k.Domain
		}
	}
	k := a.DKIM[0]
	if k.Reason != "" {
		return k.Result + ": " + k.Reason
	}
	return k.Result
}

// headerOf is the verdict as the value of an Authentication-Results field
// (RFC 8601); identity is whose SPF was checked.
func headerOf(domain, identity string, a *mail.Authentication) string {
	parts := []string{domain}
	if a.SPF.Result != "" {
		parts = append(parts, "spf="+a.SPF.Result+property(identity, a.SPF.Domain))
	}
	for _, k := range a.DKIM {
		s := "dkim=" + k.Result
		if k.Reason != "" {
			s += " (" + k.Reason + ")"
		}
		parts = append(parts, s+property("header.d", k.Domain)+property("header.s", k.Selector))
	}
	if len(a.DKIM) == 0 {
		parts = append(parts, "dkim=none")
	}
	if a.DMARC.Result != "" {
		s := "dmarc=" + a.DMARC.Result
		if a.DMARC.Policy != "" {
			s += " (p=" + a.DMARC.Policy + ")"
		}
		parts = append(parts, s+property("header.from", a.DMARC.Domain))
	}
	return strings.Join(parts, "; ")
}

// property is a ptype.property with its value, "" without one. What is no token
// is quoted; nothing in it can end the line or the quotes.
func property(name, value string) string {
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, value)
	if value == "" {
		return ""
	}
	if strings.ContainsAny(value, " ()<>@,;:/[]?=") {
		value = `"` + value + `"`
	}
	return " " + name + "=" + value
}
