package turn

import (
	"context"
	"sync"
	"time"

	"postern/gateway/archive"
	"postern/retry"
)

// held is a lease that is kept alive, and its mail open, until end.
type held struct {
	lease retry.Lease
	mail  *archive.Mail
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func (c *collection) hold(ctx context.Context, l retry.Lease, m *archive.Mail) *held {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &held{lease: l, mail: m, stop: stop}
	h.done.Go(func() {
		tick := time.NewTicker(leaseTTL / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := c.queue.Extend(ctx, l, leaseTTL); err != nil && ctx.Err() == nil {
					c.log.Warn("a lease could not be extended", "delivery", l.ID, "err", err)
				}
			}
		}
	})
	return h
}

func (h *held) end() {
	h.stop()
	h.done.Wait()
	h.mail.Close()
}
