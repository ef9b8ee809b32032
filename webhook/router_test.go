package webhook

import (
	"fmt"
	"strings"
	"testing"

	"postern/gateway/mail"
)

func endpoint(t testing.TB, c Config) *Endpoint {
	t.Helper()
	if c.URL == "" {
		c.URL = "http://127.0.0.1/hook"
	}
	if c.Name == "" {
		c.Name = "ep"
	}
	e, err := NewEndpoint(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPatterns(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no string }{
		"*":                       {"a@b.c postmaster a@[192.0.2.1]", ""},
		"sales@in.example.com":    {"sales@in.example.com SALES@IN.Example.com sales+x@in.example.com \"sales\"@in.example.com sales@in.example.com.", "sale@in.example.com sales@example.com a-sales@in.example.com xsales+y@in.example.com"},
		"support+*@example.com":   {"support+a@example.com support+@example.com Support+A+B@example.com", "support@example.com supporta@example.com"},
		"*@example.com":           {"a@example.com a+b@EXAMPLE.COM", "a@x.example.com a@example.co example.com"},
		"example.com":             {"a@example.com", "a@x.example.com"},
		"@example.com":            {"a@example.com", "a@example.org"},
		"*@*.example.com":         {"a@x.example.com a@x.y.example.com", "a@example.com"},
		"sales@*":                 {"sales@a.b sales+1@c", "sale@a.b"},
		"order-*-eu@example.com":  {"order-1-eu@example.com order--eu@example.com order-1-eu+t@example.com", "order-eu@example.com order-1-us@example.com"},
		"*@пример.рф":             {"a@пример.рф a@xn--e1afmkfd.xn--p1ai a@ПРИМЕР.РФ", "a@пример.ру"},
		"*@xn--e1afmkfd.xn--p1ai": {"почта@пример.рф", ""},
		"почта@example.com":       {"ПОЧТА@example.com", "почт@example.com"},
		"*@[192.0.2.1]":           {"x@[192.0.2.1]", "x@192.0.2.1"},
		`a@b@example.com`:         {`"a@b"@example.com "a\@b"@example.com`, "b@example.com"},
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for _, a := range strings.Fields(c.yes) {
			if !p.Match(a) {
				t.Errorf("%s doesn't match %s", pattern, a)
			}
		}
		for _, a := range strings.Fields(c.no) {
			if p.Match(a) {
				t.Errorf("%s matches %s", pattern, a)
			}
		}
	}
	for _, bad := range []string{"", "sales", "sales@", "a@b, c@d", "<a@b>"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestPatternDomain(t *testing.T) {
	for pattern, c := range map[string]struct{ domain, yes, no string }{
		"*":                    {"", "a.b x.in.example.com", ""},
		"sales@*":              {"", "a.b", ""},
		"in.example.com":       {"in.example.com", "in.example.com IN.Example.com in.example.com.", "example.com x.in.example.com"},
		"*@*.example.com":      {"", "in.example.com a.b.example.com", "example.com"},
		"sales@in.example.com": {"in.example.com", "in.example.com", "out.example.com"},
		"*@пример.рф":          {"xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd"},
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range strings.Fields(c.yes) {
			if !p.MatchDomain(d) {
				t.Errorf("%s doesn't match the domain %s", pattern, d)
			}
		}
		for _, d := range strings.Fields(c.no) {
			if p.MatchDomain(d) {
				t.Errorf("%s matches the domain %s", pattern, d)
			}
		}
		if p.Domain() != c.domain || p.CatchAll() != (pattern == "*") {
			t.Errorf("%s: domain %q, catch-all %t", pattern, p.Domain(), p.CatchAll())
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("sales+*@*.example.com", "sales+1@a.example.com")
	f.Add("*", "@")
	f.Fuzz(func(t *testing.T, pattern, address string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		again, err := ParsePattern(p.String())
		if err != nil || again.Match(address) != p.Match(address) {
			t.Errorf("%q and its own form %q (%v) differ on %q", pattern, p, err, address)
		}
	})
}

// describe writes routes as "name:a,b name!:c" (! terminal), unrouted after "/".
func describe(routes []Route, unrouted []mail.Recipient) string {
	list := func(to []mail.Recipient) string {
		var s []string
		for _, r := range to {
			local, _, _ := strings.Cut(r.Address, "@")
			s = append(s, local)
		}
		return strings.Join(s, ",")
	}
	var out []string
	for _, r := range routes {
		mark := ""
		if r.Terminal {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%s%s:%s", r.Endpoint.Name(), mark, list(r.Recipients)))
	}
	return strings.Join(out, " ") + "/" + list(unrouted)
}

func TestRoute(t *testing.T) {
	r := NewRouter([]*Endpoint{
		endpoint(t, Config{Name: "audit", Match: []string{"*@a.example"}, Copy: true}),
		endpoint(t, Config{Name: "sales", Match: []string{"sales@a.example", "sales@b.example"}}),
		endpoint(t, Config{Name: "screen", Match: []string{"ops@a.example", "only@c.example"}, Terminal: true}),
		endpoint(t, Config{Name: "late", Match: []string{"sales@*"}, Copy: true}),
		endpoint(t, Config{Name: "rest", Match: []string{"a.example", "b.example"}}),
		endpoint(t, Config{Name: "hidden", Match: []string{"nobody@nowhere.example"}}),
	})
	to := func(list ...string) (to []mail.Recipient) {
		for _, s := range list {
			address, name, _ := strings.Cut(s, "=")
			to = append(to, mail.Recipient{Address: address, Endpoint: name})
		}
		return to
	}
	for _, c := range []struct {
		verb mail.Verb
		to   []mail.Recipient
		want string
	}{
		{mail.VerbMail, to("sales@a.example"), "audit:sales sales:sales/"},
		{mail.VerbMail, to("x@b.example", "sales@b.example", "y@a.example"), "audit:y sales:sales rest:x,y/"},
		{mail.VerbMail, to("sales@c.example"), "late:sales/"},
		{mail.VerbMail, to("x@c.example", "y@b.example"), "rest:y/x"},
		{mail.VerbMail, to("ops@a.example"), "audit:ops rest:ops/"},
		{mail.VerbSend, to("ops@a.example", "x@a.example"), "screen!:ops/x"},
		{mail.VerbSoml, to("ops@a.example", "x@a.example"), "audit:ops,x screen!:ops rest:ops,x/"},
		{mail.VerbSaml, to("only@c.example"), "screen!:only/only"},
		{mail.VerbMail, to("only@c.example"), "/only"},
		{mail.VerbMail, to("new@a.example=hidden"), "audit:new hidden:new/"},
		{mail.VerbMail, to("new@a.example=unknown"), "/new"},
		{mail.VerbMail, to("new@z.example=rest"), "rest:new/"},
		{mail.VerbSend, to("new@z.example=screen"), "screen!:new/"},
	} {
		if got := describe(r.Route(c.to, c.verb)); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.verb, c.to, got, c.want)
		}
	}
	for address, want := range map[string]string{"sales@a.example": "sales", "x@a.example": "rest", "sales@z.example": "late", "only@c.example": "", "z@z.example": ""} {
		got := ""
		if e := r.Match(address); e != nil {
			got = e.Name()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestDeliveryID(t *testing.T) {
	id := DeliveryID("key", "ep", []string{"a", "b"})
	if strings.Contains(id, ".") || len(id) < 20 {
		t.Error(id)
	}
	if DeliveryID("key", "ep", []string{"b", "a", "b"}) != id {
		t.Error("the order matters")
	}
	seen := map[string]string{id: "first"}
	for what, other := range map[string]string{
		"key":      DeliveryID("kex", "ep", []string{"a", "b"}),
		"endpoint": DeliveryID("key", "eq", []string{"a", "b"}),
		"to":       DeliveryID("key", "ep", []string{"a"}),
		"joined":   DeliveryID("key", "ep", []string{"ab"}),
		"shifted":  DeliveryID("keye", "p", []string{"a", "b"}),
	} {
		if before := seen[other]; before != "" {
			t.Errorf("%s has the id of %s", what, before)
		}
		seen[other] = what
	}
}
