package retry

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// AmbiguousError is returned by Find when several ids begin as the one that was
// asked for.
type AmbiguousError struct {
	Prefix string
	IDs    []string // the first of them, the oldest stored first
	More   bool     // there are others
}

func (e *AmbiguousError) Error() string {
	more := ""
	if e.More {
		more = ", …"
	}
	return fmt.Sprintf("%s is the beginning of several ids: %s%s", e.Prefix, strings.Join(e.IDs, ", "), more)
}

// shownMatches is how many ids an AmbiguousError names.
const shownMatches = 5

// Find is Get by an id or by the beginning of one, where only one begins so:
// ErrNotFound, or an *AmbiguousError.
func Find(ctx context.Context, q Operator, prefix string) (Info, []PastAttempt, error) {
	info, past, err := q.Get(ctx, prefix)
	if err == nil || prefix == "" || !errors.Is(err, ErrNotFound) {
		return info, past, err
	}
	found, next, err := q.List(ctx, Filter{Prefix: prefix}, Page{Size: shownMatches})
	switch {
	case err != nil:
		return Info{}, nil, err
	case len(found) == 0:
		return Info{}, nil, fmt.Errorf("%w: %s", ErrNotFound, prefix)
	case len(found) == 1:
		return q.Get(ctx, found[0].ID)
	}
	e := &AmbiguousError{Prefix: prefix, More: next.After != ""}
	for _, i := range found {
		e.IDs = append(e.IDs, i.ID)
	}
	return Info{}, nil, e
}
