package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"postern/retry/engine"
)

const usageSQL = "SELECT " + engine.UsageColumns + " FROM usage"

func readUsage(ctx context.Context, w *writer) (s engine.Stored, err error) {
	err = w.queryRow(ctx, usageSQL).Scan(s.Dest()...)
	return s, err
}

// keySet is a set of strings that mirrors a column, so that asking for an
// absent one costs no query.
type keySet struct {
	mu   sync.RWMutex
	keys map[string]struct{}
}

func (s *keySet) load(ctx context.Context, c *sql.Conn, query string) error {
	s.keys = map[string]struct{}{}
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k string
		if err := rows.Scan(&k); err != nil {
			return err
		}
		s.keys[k] = struct{}{}
	}
	return rows.Err()
}

func (s *keySet) has(k string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.keys[k]
	return ok
}

func (s *keySet) size() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.keys)
}

func (s *keySet) add(k string) {
	s.mu.Lock()
	s.keys[k] = struct{}{}
	s.mu.Unlock()
}

func (s *keySet) drop(k string) {
	s.mu.Lock()
	delete(s.keys, k)
	s.mu.Unlock()
}
