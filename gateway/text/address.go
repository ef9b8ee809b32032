package text

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Spellings are an address as it was given and its OtherSpelling, if it has one:
// people look for the one that they know.
func Spellings(address string) []string {
	if other := OtherSpelling(address); other != "" {
		return []string{address, other}
	}
	return []string{address}
}

// OtherSpelling is an address whose domain is internationalised with that in its
// other form; "" for all others.
func OtherSpelling(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	domain := address[at:]
	other, err := domain, error(nil)
	switch {
	case strings.Contains(domain, "--") && strings.Contains(strings.ToLower(domain), "xn--"):
		other, err = idna.Punycode.ToUnicode(strings.ToLower(domain))
	case strings.IndexFunc(domain, func(c rune) bool { return c > unicode.MaxASCII }) >= 0:
		other, err = idna.Punycode.ToASCII(strings.ToLower(domain))
	}
	if err != nil || other == domain {
		return ""
	}
	return address[:at] + other
}

// FoldAddress is an address in the one spelling that all of its own have.
func FoldAddress(address string) string {
	address = strings.ToLower(address)
	all := Spellings(address)
	return slices.MaxFunc(all, func(a, b string) int { return strings.Count(b, "xn--") - strings.Count(a, "xn--") })
}
