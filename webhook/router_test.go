package webhook

import (
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

// describe writes endpoints as "name name!" (! terminal).
func describe(list []*Endpoint) string {
	var out []string
	for _, e := range list {
		mark := ""
		if e.Terminal() {
			mark = "!"
		}
		out = append(out, e.Name()+mark)
	}
	return strings.Join(out, " ")
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
	for _, c := range []struct {
		verb mail.Verb
		to   string // address, or address=endpoint named by the directory
		want string
	}{
		{mail.VerbMail, "sales@a.example", "audit sales"},
		{"", "sales@a.example", "audit sales"},
		{mail.VerbMail, "x@b.example", "rest"},
		{mail.VerbMail, "sales@b.example", "sales"},
		{mail.VerbMail, "y@a.example", "audit rest"},
		{mail.VerbMail, "sales@c.example", "late"},
		{mail.VerbMail, "x@c.example", ""},
		{mail.VerbMail, "ops@a.example", "audit rest"},
		{mail.VerbSend, "ops@a.example", "screen!"},
		{mail.VerbSend, "x@a.example", ""},
		{mail.VerbSoml, "ops@a.example", "audit rest screen!"},
		{mail.VerbSoml, "x@a.example", "audit rest"},
		{mail.VerbSaml, "only@c.example", "screen!"},
		{mail.VerbMail, "only@c.example", ""},
		{mail.VerbMail, "new@a.example=hidden", "audit hidden"},
		{mail.VerbMail, "new@a.example=unknown", ""},
		{mail.VerbMail, "new@z.example=rest", "rest"},
		{mail.VerbSend, "new@z.example=screen", "screen!"},
	} {
		address, name, _ := strings.Cut(c.to, "=")
		if got := describe(r.Route(mail.Recipient{Address: address, Endpoint: name}, c.verb)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.verb, c.to, got, c.want)
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
