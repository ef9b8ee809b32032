package retry

import "context"

// countPage is how many deliveries Count looks at in one step.
const countPage = 1000

// Lister is what Count calls of a queue.
type Lister interface {
	List(ctx context.Context, f Filter, page Page) ([]Info, Page, error)
}

// Count is how many deliveries a filter selects, those aside that are being
// attempted: Replay, RetryNow and Delete leave them alone. It stops at most,
// where that isn't 0.
func Count(ctx context.Context, q Lister, f Filter, most int) (n int, err error) {
	for page := (Page{Size: countPage}); ; {
		found, next, err := q.List(ctx, f, page)
		if err != nil {
			return n, err
		}
		for i := range found {
			if found[i].State != Leased {
				n++
			}
		}
		if next.After == "" || most > 0 && n >= most {
			return n, nil
		}
		page = Page{After: next.After, Size: countPage}
	}
}
