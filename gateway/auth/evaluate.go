package auth

import (
	"context"
	"slices"

	"postern/gateway/mail"
)

// evaluate makes the verdict of what was found (RFC 9989, 5.3).
func (c *Checker) evaluate(ctx context.Context, m *message) *mail.Authentication {
	a := &mail.Authentication{SPF: m.spf, DKIM: []mail.DKIMResult{}}
	own := author{}
	if len(m.authors) > 0 {
		own = m.authors[0]
	}
	rec := own.walked.record()
	strictDKIM, strictSPF := rec != nil && rec.strictDKIM, rec != nil && rec.strictSPF
	e := evidence{m: m, rec: rec}
	if own.walked.own == nil {
		e.err = own.err
	}
	for _, s := range m.signatures {
		ok := s.result == pass && e.speaks(aligned(ctx, c.deps.DNS, s.domain, own, strictDKIM))
		e.unsure = e.unsure || s.result == tempError && related(s.domain, own.domain)
		if ok && e.dkim == "" {
			e.dkim = s.domain
		}
		a.DKIM = append(a.DKIM, s.report(ok))
	}
	e.spf = m.spf.Result == pass && e.speaks(aligned(ctx, c.deps.DNS, m.spf.Domain, own, strictSPF))
	e.unsure = e.unsure || m.spf.Result == tempError && related(m.spf.Domain, own.domain)
	a.DMARC = mail.DMARCResult{Result: e.result(), Domain: own.domain, AlignedBy: e.alignedBy()}
	a.DMARC.Policy = m.policy(ctx, c.deps.DNS)
	a.SenderVerified = a.DMARC.Result == pass || a.DMARC.Result == none && a.DMARC.AlignedBy != ""
	if a.DMARC.Result != pass && !a.SenderVerified {
		a.DMARC.AlignedBy = ""
	}
	a.Reason = e.reason(a)
	if c.cfg.NoDMARC {
		a.DMARC, a.SenderVerified, a.Reason = mail.DMARCResult{}, false, "dmarc is off"
	}
	a.Header = headerOf(c.cfg.Domain, m.identity, a)
	return a
}

// evidence is what speaks for the author's domain.
type evidence struct {
	m      *message
	rec    *record
	err    error // the policy can't be looked up
	dkim   string
	spf    bool
	unsure bool // what DNS didn't answer might have spoken for it
}

func (e *evidence) speaks(ok bool, err error) bool {
	e.unsure = e.unsure || err != nil
	return ok
}

// result is DMARC's; "" where it can't be told, since SPF can't be checked.
func (e *evidence) result() string {
	switch {
	case e.m.several:
		return fail
	case e.m.author() == "":
		return permError
	case e.err != nil:
		return tempError
	case e.rec == nil || e.rec.policy == "":
		return none
	case e.dkim != "" || e.spf:
		return pass
	case e.unsure:
		return tempError
	case e.m.unchecked != "":
		return ""
	}
	return fail
}

func (e *evidence) alignedBy() string {
	switch {
	case e.m.several:
		return ""
	case e.spf && e.dkim != "":
		return "spf,dkim"
	case e.spf:
		return "spf"
	case e.dkim != "":
		return "dkim"
	}
	return ""
}

// policy is what the authors' domains ask for, the strictest where they are
// several.
func (m *message) policy(ctx context.Context, dns DNS) string {
	order := []string{"", none, quarantine, reject}
	strictest := ""
	for _, a := range m.authors {
		rec := a.walked.record()
		if rec == nil || rec.policy == "" {
			continue
		}
		p := rec.wish(a.domain, func() bool {
			missing, err := dns.Missing(ctx, a.domain)
			return err == nil && missing
		})
		if slices.Index(order, p) > slices.Index(order, strictest) {
			strictest = p
		}
	}
	return strictest
}
