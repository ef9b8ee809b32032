package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"postern/retry"
)

// books are the database's own account of what it stores.
type books struct{ bytes, messages, deadBytes, deadMessages int64 }

const usageSQL = "SELECT bytes, messages, dead_bytes, dead_messages FROM usage"

func readUsage(ctx context.Context, w *writer) (b books, err error) {
	err = w.queryRow(ctx, usageSQL).Scan(&b.bytes, &b.messages, &b.deadBytes, &b.deadMessages)
	return b, err
}

// usage is the last committed books and what is reserved beside them.
type usage struct {
	mu              sync.Mutex
	stored          books
	bytes, messages int64 // reserved
}

func (u *usage) load(ctx context.Context, c *sql.Conn) error {
	return c.QueryRowContext(ctx, usageSQL).Scan(&u.stored.bytes, &u.stored.messages, &u.stored.deadBytes, &u.stored.deadMessages)
}

func (u *usage) set(b books) {
	u.mu.Lock()
	u.stored = b
	u.mu.Unlock()
}

func (u *usage) get() books {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stored
}

// reserve books n bytes and a message where they fit.
func (u *usage) reserve(n, maxBytes, maxMessages int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.stored
	bytes := s.bytes - min(s.deadBytes, maxBytes/retry.DeadShare) + u.bytes
	messages := s.messages - min(s.deadMessages, maxMessages/retry.DeadShare) + u.messages
	if bytes+n > maxBytes || messages+1 > maxMessages {
		return false
	}
	u.bytes, u.messages = u.bytes+n, u.messages+1
	return true
}

func (u *usage) release(n int64) {
	u.mu.Lock()
	u.bytes, u.messages = u.bytes-n, u.messages-1
	u.mu.Unlock()
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
