package webhook

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of HTTP statuses by which a receiver rejects mail.
type Statuses struct {
	named  map[int]bool
	all4xx bool // but 408, 425 and 429, which say "later"
	stops  func(status int) bool
}

// ParseStatuses reads REJECT: three-digit statuses from 300 to 599, or "4xx".
func ParseStatuses(list []string) (Statuses, error) {
	var s Statuses
	for _, word := range list {
		word = strings.TrimSpace(word)
		switch n, err := strconv.Atoi(word); {
		case word == "":
		case strings.EqualFold(word, "4xx"):
			s.all4xx = true
		case err != nil || n < 300 || n > 599:
			return Statuses{}, fmt.Errorf("%q; use statuses such as 404,422, or 4xx", word)
		default:
			if s.named == nil {
				s.named = map[int]bool{}
			}
			s.named[n] = true
		}
	}
	return s, nil
}

// Has reports whether the status rejects. 406 always does: nobody answers it by
// accident to "Accept: */*".
func (s Statuses) Has(status int) bool {
	switch {
	case status == 406 || s.named[status]:
		return true
	case s.stops != nil && s.stops(status):
		return true
	case s.all4xx && status >= 400 && status <= 499:
		return status != 408 && status != 425 && status != 429
	}
	return false
}
