package history

import (
	"slices"
	"strings"
	"unicode"

	"postern/gateway/text"
)

// names reports whether the address is one of them, in any spelling.
func names(addresses []string, address string) bool {
	address = text.FoldAddress(address)
	return slices.ContainsFunc(addresses, func(a string) bool { return a != "" && text.FoldAddress(a) == address })
}

// appendOthers adds what people also give of an address: the last name before its
// domain, of several, and its other spelling.
func appendOthers(words []string, address, local string) []string {
	if i := strings.LastIndexFunc(strings.TrimRight(local, `"`), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) }); i >= 0 {
		words = append(words, joined(address[i:]))
	}
	if other := text.OtherSpelling(address); other != "" {
		words = appendWords(words, other)
		if _, domain, ok := strings.Cut(other, "@"); ok {
			words = append(words, joined(domain))
		}
	}
	return words
}
