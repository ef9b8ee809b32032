package text

import (
	"slices"
	"testing"
)

func TestSpellings(t *testing.T) {
	for address, want := range map[string][]string{
		"Ann@In.Example":           {"ann@in.example", "Ann@In.Example"},
		"info@münchen.example":     {"info@münchen.example", "info@münchen.example", "info@xn--mnchen-3ya.example"},
		"info@XN--MNCHEN-3ya.de":   {"info@münchen.de", "info@XN--MNCHEN-3ya.de", "info@münchen.de"},
		"пётр@x.example":           {"пётр@x.example", "пётр@x.example"},
		`"a@b"@xn--mnchen-3ya.de`:  {`"a@b"@münchen.de`, `"a@b"@xn--mnchen-3ya.de`, `"a@b"@münchen.de`},
		"a@xn--\xff":               {"a@xn--\ufffd", "a@xn--\xff"},
		"xn--mnchen-3ya@x.example": {"xn--mnchen-3ya@x.example", "xn--mnchen-3ya@x.example"},
		"":                         {"", ""},
	} {
		if got := append([]string{FoldAddress(address)}, Spellings(address)...); !slices.Equal(got, want) {
			t.Errorf("%q is folded and spelt %q, want %q", address, got, want)
		}
	}
}
