package webhook

import (
	"errors"
	"slices"
)

// Patterns mean whom one of them means.
type Patterns []Pattern

// ParsePatterns reads one pattern a word and names every word that is none.
func ParsePatterns(words []string) (Patterns, error) {
	var list Patterns
	var errs []error
	for _, w := range words {
		p, err := ParsePattern(w)
		list, errs = append(list, p), append(errs, err)
	}
	return list, errors.Join(errs...)
}

// Match reports whether the address is meant.
func (ps Patterns) Match(address string) bool { return ps.match(fold(address)) }

func (ps Patterns) match(a folded) bool {
	return slices.ContainsFunc(ps, func(p Pattern) bool { return p.match(a) })
}

// MatchDomain reports whether an address at the domain may be meant.
func (ps Patterns) MatchDomain(domain string) bool {
	return slices.ContainsFunc(ps, func(p Pattern) bool { return p.MatchDomain(domain) })
}

// CatchAll reports whether everyone is meant.
func (ps Patterns) CatchAll() bool { return slices.ContainsFunc(ps, Pattern.CatchAll) }
