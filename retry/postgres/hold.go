package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
)

// Held bodies have a connection each.
const (
	holdsMost = 2
	holdWait  = time.Second      // for the server's first answer
	holdLimit = 30 * time.Second // until all of it is read
)

var errHolds = errors.New("as many bodies as may be are held already")

// pieces is a body of many rows.
type pieces struct {
	retry.StoredBody
	q       *Queue
	message int64
}

// Hold implements retry.Holder: a query under way sees its rows also when somebody
// deletes them.
func (p pieces) Hold(ctx context.Context) (io.ReadCloser, error) {
	q := p.q
	select {
	case q.holds <- struct{}{}:
	default:
		return nil, errHolds
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdLimit)
	hasty := time.AfterFunc(holdWait, cancel)
	rows, err := q.pool.Query(ctx, "SELECT bytes FROM postern.chunk WHERE message = $1 ORDER BY i", p.message)
	if err == nil && !rows.Next() { // with the first row the server has its view of all of them
		rows.Close()
		err = errors.Join(retry.ErrNotFound, rows.Err())
	}
	if err == nil && !hasty.Stop() {
		rows.Close()
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		<-q.holds
		return nil, fmt.Errorf("holding a body: %w", err)
	}
	r, w := io.Pipe()
	q.wg.Go(func() {
		defer func() { <-q.holds }()
		q.pump(ctx, cancel, rows, w)
	})
	return r, nil
}

// pump writes the rows, of which the first has come, until its reader, the queue
// or ctx ends.
func (q *Queue) pump(ctx context.Context, cancel context.CancelFunc, rows pgx.Rows, w *io.PipeWriter) {
	defer rows.Close()
	defer cancel() // what isn't read isn't sent either
	defer context.AfterFunc(q.run, cancel)()
	defer context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })()
	for more := true; more; more = rows.Next() {
		var piece []byte
		if err := rows.Scan(&piece); err != nil {
			w.CloseWithError(err)
			return
		}
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
	w.CloseWithError(rows.Err())
}

var _ retry.Holder = pieces{}
