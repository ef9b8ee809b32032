package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/retry"
	"postern/retry/engine"
)

// endpointCache is what the database said of its endpoints a moment ago: a
// worker asks several times a round, and what it leases goes by the database
// alone.
type endpointCache struct {
	mu   sync.Mutex
	rows []engine.EndpointRow
	read time.Time // zero: to be read again
}

// forget has the next question read it again.
func (c *endpointCache) forget() {
	c.mu.Lock()
	c.read = time.Time{}
	c.mu.Unlock()
}

// Endpoints implements retry.Queue.
func (q *Queue) Endpoints(ctx context.Context) ([]retry.EndpointState, error) {
	began := time.Now()
	rows, err := q.pool.Query(ctx, "SELECT "+engine.EndpointColumns+" FROM postern.endpoint ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("listing endpoints: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r engine.EndpointRow, err error) {
		err = row.Scan(r.Dest()...)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing endpoints: %w", err)
	}
	q.endpoints.mu.Lock()
	q.endpoints.rows, q.endpoints.read = all, began
	q.endpoints.mu.Unlock()
	out := q.endpointStates(all)
	q.noteNames(out)
	return out, nil
}

// noteNames notes which endpoints have a row, committed, so that nobody stores one
// for them. A database that was set back while we run may have fewer than before.
func (q *Queue) noteNames(all []retry.EndpointState) {
	there := make(map[string]bool, len(all))
	for _, e := range all {
		there[e.Endpoint] = true
		q.names.Store(e.Endpoint, true)
	}
	q.names.Range(func(name, _ any) bool {
		if !there[name.(string)] {
			q.names.Delete(name)
		}
		return true
	})
}

func (q *Queue) endpointStates(rows []engine.EndpointRow) []retry.EndpointState {
	out, now := make([]retry.EndpointState, len(rows)), q.now()
	for i := range rows {
		out[i] = rows[i].State(now)
	}
	return out
}

// knownEndpoints is Endpoints, at most pulseEvery ago.
func (q *Queue) knownEndpoints(ctx context.Context) ([]retry.EndpointState, error) {
	q.endpoints.mu.Lock()
	rows, read := q.endpoints.rows, q.endpoints.read
	q.endpoints.mu.Unlock()
	if time.Since(read) < pulseEvery {
		return q.endpointStates(rows), nil
	}
	return q.Endpoints(ctx)
}
