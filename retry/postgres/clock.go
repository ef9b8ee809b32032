package postgres

import (
	"context"
	"time"

	"postern/retry"
)

// now is the server's time, which all replicas share. A step of the server's
// clock, or of this machine's, is not followed at once: it would hold back what
// waits, or expire it.
func (q *Queue) now() time.Time {
	if q.o.Now != nil {
		return q.o.Now()
	}
	if c := q.clock.Load(); c != nil {
		return c.Now()
	}
	return time.Now()
}

func (q *Queue) readClock(ctx context.Context) error {
	before := time.Now()
	var ms float64
	if err := q.pool.QueryRow(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8").Scan(&ms); err != nil {
		return err
	}
	middle := before.Add(time.Since(before) / 2)
	q.offset.Store(int64(time.UnixMilli(int64(ms)).Sub(middle.Round(0))))
	if q.clock.Load() == nil {
		server := func() time.Time { return time.Now().Add(time.Duration(q.offset.Load())) }
		q.clock.Store(retry.NewClock(server, q.clockParted))
	}
	return nil
}

func (q *Queue) clockParted(off time.Duration) {
	if off != 0 {
		q.o.Logger.Warn("the database server's clock was set; the queue goes on by its own and follows slowly", "off", off.Round(time.Second).String())
	}
}
