package address

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPath: whatever parses renders into a path that parses to the same.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b.example>", `<"a b"@c.example> SIZE=1`, "<@a,@b:c@d>", "<a@[IPv6:::1]>", "<\"\\\"\\\\\"@x>", "<postmaster>",
		"<ü@例.example>", "<a@b>>", "<a b@c>", `<"x> y"@z>`, "<@[IPv6:1::2]:a@b>", "<a@[1.2.3.4]>", "a@b.example SIZE=1", "< a@b. >", "<a@b..>", "\"a b\"@c x", "<root>", "<a..b@c>", "a=b"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, strict bool) {
		m := Lenient
		if strict {
			m = Strict
		}
		a, rest, fault := ParsePath(in, m)
		if fault != FaultNone {
			return
		}
		if len(rest) > 0 && !blank(rest[0]) {
			t.Fatalf("%q: rest %q", in, rest)
		}
		s := a.String()
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
			t.Fatalf("%q renders as %q", in, s)
		}
		again, rest, fault := ParsePath([]byte("<"+s+">"), m)
		again.Quoted, a.Quoted = false, false
		if fault == FaultLong {
			return // quoting may make it longer
		}
		if fault != FaultNone || len(rest) > 0 || again != a {
			t.Fatalf("%q -> %q -> %+v, fault %d; was %+v", in, s, again, fault, a)
		}
	})
}

func TestAddressString(t *testing.T) {
	for _, c := range []struct {
		a    Address
		want string
	}{
		{Address{}, ""},
		{Address{Local: "postmaster"}, "postmaster"},
		{Address{Local: "a.b", Domain: "c.example"}, "a.b@c.example"},
		{Address{Local: "a b", Domain: "c.example"}, `"a b"@c.example`},
		{Address{Local: `a"\`, Domain: "c.example"}, `"a\"\\"@c.example`},
		{Address{Local: "", Domain: "c.example"}, `""@c.example`},
		{Address{Local: "ü", Domain: "[IPv6:::1]"}, "ü@[IPv6:::1]"},
	} {
		if got := c.a.String(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.a, got, c.want)
		}
	}
}
