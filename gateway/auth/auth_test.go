package auth_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

const (
	good  = "192.0.2.1"    // every domain's SPF lets it
	other = "198.51.100.9" // none does
)

// plainZone gives a domain SPF, two keys, and an address of its own.
func plainZone(domain string) string {
	return txt(domain, "v=spf1 ip4:192.0.2.1 -all") + txt("s._domainkey."+domain, keyRecord("rsa2048", "")) + txt("e._domainkey."+domain, keyRecord("ed", "")) +
		domain + ". 300 IN A 192.0.2.1\n"
}

// policies are the domains' DMARC records.
var policies = map[string][]string{
	"relaxed.example":      {"v=DMARC1; p=reject; rua=mailto:d@relaxed.example"},
	"strict.example":       {"v=DMARC1; p=reject; adkim=s; aspf=s"},
	"strictdkim.example":   {"v=DMARC1;p=quarantine;adkim=s"},
	"watch.example":        {"v=DMARC1; p=none"},
	"sub.example":          {"v=DMARC1; p=none; sp=reject"},
	"np.example":           {"v=DMARC1; p=none; sp=quarantine; np=reject"},
	"test.example":         {"v=DMARC1; p=reject; t=y"},
	"testq.example":        {"v=DMARC1; p=quarantine; t=y"},
	"upper.example":        {"v=DMARC1; P=Reject; ADKIM=S"},
	"old.example":          {"v=DMARC1; p=reject; pct=20; rf=afrf; ri=86400; fo=x; ruf=nonsense; nobody=knows"},
	"onlyrua.example":      {"v=DMARC1; rua=mailto:d@onlyrua.example"},
	"badp.example":         {"v=DMARC1; p=perhaps; rua=mailto:d@badp.example"},
	"badpnorua.example":    {"v=DMARC1; p=perhaps"},
	"two.example":          {"v=DMARC1; p=reject", "v=DMARC1; p=none"},
	"beside.example":       {"v=DMARC1; p=reject", "v=spf1 -all", "google-site-verification=x"},
	"lowerv.example":       {"v=dmarc1; p=reject"},
	"otherv.example":       {"v=DMARC2; p=reject"},
	"vlast.example":        {"p=reject; v=DMARC1"},
	"psd.example":          {"v=DMARC1; p=reject; psd=y"},
	"mail.psdn.example":    {"v=DMARC1; p=quarantine; psd=n"},
	"psdn.example":         {"v=DMARC1; p=reject"},
	"deep.example":         {"v=DMARC1; p=reject"},
	"spaces.example":       {"v = DMARC1 ;  p = reject ; aspf = s"},
	"a.org.psd.example":    {"v=DMARC1; p=none"},
	"registered.net.co.uk": {"v=DMARC1; p=reject"},
	"co.uk":                {"v=DMARC1; p=reject"},
}

// nopolicies are domains without one.
var nopolicies = []string{"plain.example", "else.example", "www.relaxed.example", "www.strict.example", "bounce.relaxed.example", "www.np.example", "www.sub.example",
	"www.mail.psdn.example", "org.psd.example", "two.org.psd.example", "rival.psd.example", "www.test.example", "firm.co.uk", "rival.co.uk", "www.plain.example",
	"a.b.c.d.e.f.g.h.i.deep.example", "y.c.d.e.f.g.h.i.deep.example"}

func world() string {
	var b strings.Builder
	for domain, records := range policies {
		for _, r := range records {
			b.WriteString(txt("_dmarc."+domain, r))
		}
		b.WriteString(plainZone(domain))
	}
	for _, domain := range nopolicies {
		b.WriteString(plainZone(domain))
	}
	b.WriteString(odds())
	return b.String()
}

// message is a plain mail of an author.
func message(from string) string {
	return "From: " + from + "\r\nTo: us@in.example\r\nSubject: Hello\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@x.example>\r\n\r\nHello  there \r\n\r\nBye\r\n\r\n\r\n"
}

// check authenticates a message and shows the verdict in one line:
// "spf=pass dkim=pass+,fail dmarc=pass(reject) by=spf,dkim verified", + for aligned.
func check(t testing.TB, c *auth.Checker, e *mail.Envelope, data string) (string, *mail.Authentication) {
	t.Helper()
	return checkSource(t, c, e, mail.Bytes(data))
}

func checkSource(t testing.TB, c *auth.Checker, e *mail.Envelope, data mail.Source) (string, *mail.Authentication) {
	t.Helper()
	r, err := c.Forged(e, data)
	if err != nil {
		t.Fatal(err)
	}
	e.Removed = r.Spans
	a := c.Authenticate(t.Context(), e, data)
	var ks []string
	for _, k := range a.DKIM {
		if k.Aligned {
			k.Result += "+"
		}
		ks = append(ks, k.Result)
	}
	s := fmt.Sprintf("spf=%s dkim=%s dmarc=%s", a.SPF.Result, strings.Join(ks, ","), a.DMARC.Result)
	if a.DMARC.Policy != "" {
		s += "(" + a.DMARC.Policy + ")"
	}
	if a.DMARC.AlignedBy != "" {
		s += " by=" + a.DMARC.AlignedBy
	}
	if a.SenderVerified {
		s += " verified"
	}
	return s, a
}

func envelope(client, hello, from string) *mail.Envelope {
	e := &mail.Envelope{Hello: hello, From: from}
	if client != "" {
		e.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 25)
	}
	return e
}

func checker(t testing.TB, zone string, cfg auth.Config) *auth.Checker {
	t.Helper()
	cfg.Domain = us
	return auth.New(cfg, auth.Deps{DNS: resolver(t, parseZone(t, zone).serve(t)), Now: time.Now})
}

// TestAlignment gives each author's domain mails that one or another domain vouches
// for.
func TestAlignment(t *testing.T) {
	c := checker(t, world(), auth.Config{})
	for _, row := range []struct {
		author string
		sub    string // a relative of it
		policy string
		// who vouches: SPF, DKIM, both; a relative by SPF, by DKIM; a stranger by both; nobody. p(ass), f(ail), n(one)
		want string
	}{
		{"relaxed.example", "www.relaxed.example", "reject", "ppp pp f f"},
		{"www.relaxed.example", "relaxed.example", "reject", "ppp pp f f"},
		{"www.relaxed.example", "bounce.relaxed.example", "reject", "ppp pp f f"},
		{"strict.example", "www.strict.example", "reject", "ppp ff f f"},
		{"www.strict.example", "strict.example", "reject", "ppp ff f f"},
		{"strictdkim.example", "strictdkim.example", "quarantine", "ppp pp f f"},
		{"watch.example", "watch.example", "none", "ppp pp f f"},
		{"sub.example", "www.sub.example", "none", "ppp pp f f"},
		{"www.sub.example", "sub.example", "reject", "ppp pp f f"},
		{"www.np.example", "np.example", "quarantine", "ppp pp f f"},
		{"nobody.np.example", "np.example", "reject", "--- pp f f"},
		{"test.example", "www.test.example", "quarantine", "ppp pp f f"},
		{"testq.example", "testq.example", "none", "ppp pp f f"},
		{"upper.example", "upper.example", "reject", "ppp pp f f"},
		{"old.example", "old.example", "reject", "ppp pp f f"},
		{"onlyrua.example", "onlyrua.example", "none", "ppp pp f f"},
		{"badp.example", "badp.example", "none", "ppp pp f f"},
		{"spaces.example", "spaces.example", "reject", "ppp pp f f"},
		{"beside.example", "beside.example", "reject", "ppp pp f f"},
		{"badpnorua.example", "badpnorua.example", "", "vvv vv n n"},
		{"two.example", "two.example", "", "vvv vv n n"},
		{"lowerv.example", "lowerv.example", "", "vvv vv n n"},
		{"otherv.example", "otherv.example", "", "vvv vv n n"},
		{"vlast.example", "vlast.example", "", "vvv vv n n"},
		{"plain.example", "www.plain.example", "", "vvv nn n n"},
		{"psd.example", "org.psd.example", "reject", "ppp ff f f"},
		{"org.psd.example", "rival.psd.example", "reject", "ppp ff f f"},
		{"org.psd.example", "two.org.psd.example", "reject", "ppp pp f f"},
		{"two.org.psd.example", "org.psd.example", "reject", "ppp pp f f"},
		{"a.org.psd.example", "org.psd.example", "none", "ppp pp f f"},
		{"mail.psdn.example", "www.mail.psdn.example", "quarantine", "ppp pp f f"},
		{"mail.psdn.example", "psdn.example", "quarantine", "ppp ff f f"},
		{"a.b.c.d.e.f.g.h.i.deep.example", "deep.example", "reject", "ppp pp f f"},
		{"deep.example", "a.b.c.d.e.f.g.h.i.deep.example", "reject", "ppp pp f f"},
		{"firm.co.uk", "rival.co.uk", "reject", "ppp ff f f"},
		{"firm.co.uk", "co.uk", "reject", "ppp ff f f"},
	} {
		want := strings.ReplaceAll(row.want, " ", "")
		for i, by := range []struct{ spf, dkim string }{
			{row.author, ""}, {"", row.author}, {row.author, row.author}, {row.sub, ""}, {"", row.sub}, {"else.example", "else.example"}, {"", ""},
		} {
			client, from, data := other, "x@"+row.author, message("A <a@"+row.author+">")
			if by.spf != "" {
				client, from = good, "x@"+by.spf
			}
			if by.dkim != "" {
				data = signed(t, data, signing{key: "rsa2048", domain: by.dkim, selector: "s"})
			}
			got, a := check(t, c, envelope(client, "helo.example", from), data)
			result := map[byte]string{'p': "pass", 'f': "fail", 'n': "none", 'v': "none"}[want[i]]
			if want[i] == '-' {
				continue
			}
			if a.DMARC.Result != result || a.DMARC.Policy != row.policy || a.SenderVerified != strings.ContainsRune("pv", rune(want[i])) {
				t.Errorf("%s, vouched for by %+v: %s (%s), want %c with policy %q", row.author, by, got, a.Reason, want[i], row.policy)
			}
		}
	}
}
