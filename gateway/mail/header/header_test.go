package header

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"postern/gateway/mail/transfer"
)

func encode(t testing.TB, e encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatalf("encode %q: %v", s, err)
	}
	return b
}

func TestDecodeHeader(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"=?utf-8?Q?caf=C3=A9?=", "café"},
		{"=?UTF-8?q?a_b?= c", "a b c"},
		{"=?utf-8?B?0J/RgNC4?= =?utf-8?B?0LLQtdGC?=", "Привет"},
		{"=?utf-8?B?0J/RgNC40?=\r\n =?utf-8?B?LLQtdGC?=", "Привет"}, // base64 split inside a group
		{"=?utf-8?Q?=D0?= =?utf-8?Q?=9F?=", "П"},                    // a character split
		{"=?koi8-r?Q?=F0?= =?utf-8?Q?=D1=80?=", "Пр"},
		{"=?utf-8*ru?B?0J8?=", "П"},
		{"=?utf-8?B?0J8?=", "П"},
		{`"=?utf-8?Q?=D0=9F?="`, `"П"`},
		{"Re: =?utf-8?Q?x?=y", "Re: xy"},
		{"=?nobody?Q?x?=", "x"},
		{"=?utf-8?X?x?=", "=?utf-8?X?x?="},
		{"=?utf-8?Q?never closed", "=?utf-8?Q?never closed"},
		{"a =? b", "a =? b"},
		{"folded\r\n value", "folded value"},
		{"\xef\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0", "привет мир"},
		{"=?utf-8?Q?a=00b=0Ac?=", "ab c"},
		{"=?iso-8859-1?Q?=80?=", "€"},
	}
	for _, tt := range tests {
		if got := new(Decoder).Text([]byte(tt.in)); got != tt.want {
			t.Errorf("header(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	hinted := Decoder{Hint: func() string { return "iso-8859-5" }}
	if got := hinted.Text(encode(t, charmap.ISO8859_5, "Привет")); got != "Привет" {
		t.Errorf("with a hint: %q", got)
	}
}

func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?B?0J8?= =?utf-8?q?a_?=", "=?a?b?c", "\xef\xf0", "=?utf-8?Q??=", "\r\n x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := new(Decoder).Text(b)
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
			t.Errorf("%q is %q", b, s)
		}
	})
}

func TestParseParameters(t *testing.T) {
	tests := []struct{ in, value, name, want string }{
		{`text/plain; charset=utf-8`, "text/plain", "charset", "utf-8"},
		{`TEXT/Plain; CharSet="UTF-8" ; x=y`, "text/plain", "charset", "UTF-8"},
		{`a/b;; x=1;;`, "a/b", "x", "1"},
		{`a/b; junk; x=1`, "a/b", "x", "1"},
		{`a/b x=1`, "a/b", "x", "1"},
		{`a/b, x=1`, "a/b", "x", "1"},
		{`filename="a.pdf"`, "", "filename", "a.pdf"},
		{`attachment; filename=a b c.pdf`, "attachment", "filename", "a b c.pdf"},
		{`attachment; filename="a;b.pdf"; size=1`, "attachment", "filename", "a;b.pdf"},
		{`attachment; filename="never closed.pdf`, "attachment", "filename", "never closed.pdf"},
		{`attachment; filename="never closed.pdf; size=3`, "attachment", "filename", "never closed.pdf"},
		{`attachment; filename="a\"b\\c.pdf"`, "attachment", "filename", `a"b\c.pdf`},
		{`attachment; filename="C:\temp\a.pdf"`, "attachment", "filename", `C:\temp\a.pdf`},
		{`attachment; filename='a.pdf'`, "attachment", "filename", "a.pdf"},
		{`attachment; filename==?utf-8?Q?=D0=9F.pdf?=`, "attachment", "filename", "П.pdf"},
		{`attachment; filename="=?koi8-r?B?8NLJ18XU?=.pdf"`, "attachment", "filename", "Привет.pdf"},
		{`attachment; filename*=utf-8''%D0%9F.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*=koi8-r'ru'%F0%D2.pdf; filename=x`, "attachment", "filename", "Пр.pdf"},
		{`attachment; filename=x; filename*=windows-1251''%CF.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*0*=utf-8''%D0; filename*1*=%9F; filename*2=.pdf`, "attachment", "filename", "П.pdf"},
		{`attachment; filename*1=b; filename*0=a`, "attachment", "filename", "ab"},
		{`attachment; filename*=''%D0%9F`, "attachment", "filename", "П"},
		{`attachment; filename*=100%25.pdf`, "attachment", "filename", "100%.pdf"},
		{`attachment; filename=a; filename=b`, "attachment", "filename", "a"},
		{"attachment; filename=\"\xcf\xf0\xe8\xe2\xe5\xf2.pdf\"", "attachment", "filename", "Привет.pdf"},
		{`multipart/mixed; boundary="--=_x (y)"`, "multipart/mixed", "boundary", "--=_x (y)"},
		{`multipart/mixed; boundary=--=_x`, "multipart/mixed", "boundary", "--=_x"},
		{`text/plain (comment); charset=a`, "text/plain", "charset", "a"},
		{``, "", "x", ""},
		{`;=;==;`, "", "x", ""},
	}
	for _, tt := range tests {
		p := new(Decoder).Parameters([]byte(tt.in))
		if p.Value != tt.value || p.Get(tt.name) != tt.want {
			t.Errorf("%s: value %q, %s %q, want %q, %q", tt.in, p.Value, tt.name, p.Get(tt.name), tt.value, tt.want)
		}
	}
}

func FuzzParseParameters(f *testing.F) {
	for _, s := range []string{`a/b; c*0*=utf-8''%D0; c*1="x\"`, `x="`, `;;=;a==?utf-8?Q?b?=`, "a/b;c=\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := new(Decoder).Parameters(b)
		if !utf8.ValidString(p.Value) || !utf8.ValidString(strings.Join(p.vals, "")) || !utf8.ValidString(strings.Join(p.names, "")) {
			t.Errorf("%q: %+v", b, p)
		}
	})
}

func TestTransferField(t *testing.T) {
	for in, want := range map[string]transfer.Encoding{"base64 (comment)": transfer.Base64, "=?us-ascii?Q?quoted-printable?=": transfer.QuotedPrintable, " 7bit\r\n": transfer.Identity} {
		if got, ok := new(Decoder).Transfer([]byte(in)); got != want || !ok {
			t.Errorf("%q is %v, %v", in, got, ok)
		}
	}
}

func TestMerge(t *testing.T) {
	p, further := new(Decoder).Parameters([]byte("multipart/mixed; boundary=a")), new(Decoder).Parameters([]byte("multipart/mixed; boundary=b; charset=c"))
	p.Merge(further)
	if p.Get("boundary") != "a" || p.Get("charset") != "c" || len(p.Boundaries) != 1 || p.Boundaries[0] != "b" {
		t.Errorf("merged: %+v", p)
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		in   string
		want []Address
	}{
		{"a@x.org", []Address{{"", "a@x.org"}}},
		{"<a@x.org>", []Address{{"", "a@x.org"}}},
		{"a@x.org <>", []Address{{"", "a@x.org"}}},
		{"Ann <>", []Address{{"Ann", ""}}},
		{"Ann <a@x.org>", []Address{{"Ann", "a@x.org"}}},
		{`"Doe, Ann" <a@x.org>`, []Address{{"Doe, Ann", "a@x.org"}}},
		{`Doe, Ann <a@x.org>`, []Address{{"Doe, Ann", "a@x.org"}}},
		{`a@x.org, Doe, Ann <b@x.org>, c@x.org`, []Address{{"", "a@x.org"}, {"Doe, Ann", "b@x.org"}, {"", "c@x.org"}}},
		{`"a \"q\" b" <a@x.org>`, []Address{{`a "q" b`, "a@x.org"}}},
		{"a@x.org (Ann)", []Address{{"Ann", "a@x.org"}}},
		{"a@x.org; b@x.org;", []Address{{"", "a@x.org"}, {"", "b@x.org"}}},
		{"Team: a@x.org, Bob <b@x.org>;, c@x.org", []Address{{"", "a@x.org"}, {"Bob", "b@x.org"}, {"", "c@x.org"}}},
		{"undisclosed-recipients:;", nil},
		{"Undisclosed recipients", nil},
		{"<undisclosed-recipients:;>", nil},
		{"<<a@x.org>>", []Address{{"", "a@x.org"}}},
		{"<@r1.org,@r2.org:a@x.org>", []Address{{"", "a@x.org"}}},
		{"Ann <a@x.org", []Address{{"Ann", "a@x.org"}}},
		{"Ann <a@x.org, b@x.org", []Address{{"Ann", "a@x.org"}, {"", "b@x.org"}}},
		{"Ann <a@x.org> Bob <b@x.org>", []Address{{"Ann", "a@x.org"}, {"Bob", "b@x.org"}}},
		{"a@x.org b@x.org", []Address{{"", "a@x.org"}, {"", "b@x.org"}}},
		{"a @ x.org", []Address{{"", "a@x.org"}}},
		{"'a@x.org'", []Address{{"", "a@x.org"}}},
		{"<mailto:a@x.org>", []Address{{"", "a@x.org"}}},
		{"a@x.org.", []Address{{"", "a@x.org"}}},
		{"a..b@x.org", []Address{{"", "a..b@x.org"}}},
		{`"a b"@x.org`, []Address{{"", `"a b"@x.org`}}},
		{`<"a b"@x.org>`, []Address{{"", `"a b"@x.org`}}},
		{"a@x.org <a@x.org>", []Address{{"a@x.org", "a@x.org"}}},
		{"Ann: <a@x.org>", []Address{{"Ann:", "a@x.org"}}},
		{"Ann [Sales] <a@x.org>", []Address{{"Ann [Sales]", "a@x.org"}}},
		{"=?utf-8?Q?D=C3=B6e,_Ann?= <a@x.org>", []Address{{"Döe, Ann", "a@x.org"}}},
		{"=?utf-8?Q?D=C3=B6e?=<a@x.org>", []Address{{"Döe", "a@x.org"}}},
		{`"=?utf-8?Q?D=C3=B6e?=" <a@x.org>`, []Address{{"Döe", "a@x.org"}}},
		{"a@x.org, broken <b@@x>, c@x.org", []Address{{"", "a@x.org"}, {"broken", "b@@x"}, {"", "c@x.org"}}},
		{"postmaster", []Address{{"", "postmaster"}}},
		{"Nobody at all", []Address{{"Nobody at all", ""}}},
		{"<>", nil},
		{"", nil},
		{",;,", nil},
		{"a@xn--e1afmkfd.xn--p1ai, б@пример.рф", []Address{{"", "a@xn--e1afmkfd.xn--p1ai"}, {"", "б@пример.рф"}}},
		{"Иван Петров <a@x.org>", []Address{{"Иван Петров", "a@x.org"}}},
		{"\"unclosed <a@x.org>, b@x.org", []Address{{"unclosed", "a@x.org"}, {"", "b@x.org"}}},
		{"Ann (never closed <a@x.org>", []Address{{"Ann (never closed", "a@x.org"}}},
	}
	for _, tt := range tests {
		got := new(Decoder).Addresses([][]byte{[]byte(tt.in)})
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q", tt.in, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %q, want %q", tt.in, got[i], tt.want[i])
			}
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"a" <b@c>, d@e (f); G: h@i;`, "<<", "((((", `"\`, "=?utf-8?Q?,?=", "a@b<c@d>e@f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, a := range new(Decoder).Addresses([][]byte{b}) {
			if !utf8.ValidString(a.Name + a.Address) {
				t.Errorf("%q: %q", b, a)
			}
		}
	})
}

// TestAddressesLosesNone wraps one recipient in junk.
func TestAddressesLosesNone(t *testing.T) {
	parts := []string{"", "x, ", "Name ", `"q" `, `"open `, "(c) ", "(open ", "<", "<<", "G: ", "; ", "a@b.org, ", "a@b.org ", "=?utf-8?Q?x?= ", "'", "[", "\\", "\xe9\xf1 ", "> "}
	for _, before := range parts {
		for _, more := range parts {
			in := before + more + "<keep@x.org>, last@x.org"
			found := 0
			for _, a := range new(Decoder).Addresses([][]byte{[]byte(in)}) {
				if strings.Contains(a.Address+a.Name, "keep@x.org") {
					found++
				}
				if strings.Contains(a.Address+a.Name, "last@x.org") {
					found++
				}
			}
			if found < 2 && !strings.Contains(in, "(open") {
				t.Errorf("%q: %q", in, new(Decoder).Addresses([][]byte{[]byte(in)}))
			}
		}
	}
}
