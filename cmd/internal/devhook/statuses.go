package devhook

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseStatuses reads statuses from 200 to 599, separated by commas or blanks.
func ParseStatuses(list string) ([]int, error) {
	var all []int
	for _, w := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.Atoi(w)
		if err != nil || n < 200 || n > 599 {
			return nil, fmt.Errorf("%q is no status from 200 to 599", w)
		}
		all = append(all, n)
	}
	return all, nil
}
