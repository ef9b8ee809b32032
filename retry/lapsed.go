package retry

import (
	"context"
	"slices"
	"time"
)

// lapsed notes the attempt of somebody who ended before its outcome was stored, and
// has the delivery wait as after one that failed, apart from others: it may be what
// ended him, and its neighbours mustn't be taken along again and again. Past its end
// it still gets its last attempt, unless that one is lost time and again.
func (w *Worker) lapsed(ctx context.Context, l Lease) {
	at := Attempt{At: w.deps.Now(), Reason: ReasonLost, Error: ErrorLost}
	wait := time.Duration(w.deps.Rand() * float64(w.lapseSpread(l)))
	w.deps.Logger.Warn("nobody stored what came of a delivery's attempt", "delivery", l.ID, "message", l.MessageID, "endpoint", l.Endpoint)
	if l.Left <= 0 && w.lostBefore(ctx, l) < lapseLimit-1 {
		w.write(ctx, l, "rescheduled", func(ctx context.Context) error { return w.q.Retry(ctx, l, wait, at) })
		return
	}
	w.later(ctx, l, Outcome{Kind: Later, After: wait, Attempt: at})
}

const (
	lapseSpreadMost = time.Minute // over which it is attempted again at most
	lapseLimit      = 3           // attempts lost in a row that end a delivery past its end
)

// lapseSpread is over which time what a dead process had in hand is attempted again:
// three times the policy's wait, since most processes die of something else.
func (w *Worker) lapseSpread(l Lease) time.Duration {
	wait, _ := w.cfg.Policy.Next(l.Tries+1, lapseSpreadMost, 0, 0.5)
	return min(3*wait, lapseSpreadMost)
}

// lostBefore counts the delivery's last attempts in a row whose outcome nobody stored.
func (w *Worker) lostBefore(ctx context.Context, l Lease) (n int) {
	_, past, err := w.q.Get(ctx, l.ID)
	if err != nil {
		w.deps.Logger.Warn("a delivery's attempts can't be read", "delivery", l.ID, "err", err)
	}
	for _, a := range slices.Backward(past) {
		if a.Reason != ReasonLost {
			break
		}
		n++
	}
	return n
}
