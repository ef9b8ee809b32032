package app

import (
	"context"
	"errors"

	"postern/gateway/history"
	"postern/gateway/kept"
)

// Forgetter erases a person from the history and from delivered mail; each may
// be nil.
type Forgetter struct {
	History history.Store
	Kept    kept.Store
}

// Names counts the records and the kept messages that name the address, which are
// those that Forget erases.
func (f Forgetter) Names(ctx context.Context, address string) (records, messages int, err error) {
	if f.Kept != nil {
		if messages, err = f.Kept.Names(ctx, address); err != nil {
			return 0, 0, err
		}
	}
	if f.History != nil {
		records, err = f.records(ctx, address)
	}
	return records, messages, err
}

// records counts those of the history that name the address.
func (f Forgetter) records(ctx context.Context, address string) (n int, err error) {
	for q := (history.Query{Address: address, Limit: history.MaxLimit}); ; {
		found, next, err := f.History.Find(ctx, q)
		if err != nil {
			return n, err
		}
		for i := range found {
			if found[i].Names(address) {
				n++
			}
		}
		if next == "" {
			return n, nil
		}
		q.After = next
	}
}

// Forget erases every record and every kept message that names the address. What
// waits in the queue is its own.
func (f Forgetter) Forget(ctx context.Context, address string) (records, messages int, err error) {
	var failed [2]error
	if f.Kept != nil {
		messages, failed[0] = f.Kept.Forget(ctx, address)
	}
	if f.History != nil {
		records, failed[1] = f.History.Forget(ctx, address)
	}
	return records, messages, errors.Join(failed[:]...)
}
