package retry

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryDedup is a Dedup without a store: it remembers the newest keys up to
// its size and forgets the rest, and everything at a restart.
type MemoryDedup struct {
	now func() time.Time // carries Go's monotonic reading
	max int

	mu    sync.Mutex
	order *list.List // of *dedupRecord, oldest first
	keys  map[string]*list.Element
}

type dedupRecord struct {
	key     string
	ids     []string
	expires time.Time
}

// NewMemoryDedup remembers at most n keys.
func NewMemoryDedup(n int) *MemoryDedup {
	return &MemoryDedup{now: time.Now, max: n, order: list.New(), keys: map[string]*list.Element{}}
}

// Delivered implements Dedup.
func (m *MemoryDedup) Delivered(_ context.Context, key string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return nil, nil
	}
	entry := e.Value.(*dedupRecord)
	if !m.now().Before(entry.expires) {
		m.remove(e)
		return nil, nil
	}
	return slices.Clone(entry.ids), nil
}

// Remember implements Dedup.
func (m *MemoryDedup) Remember(_ context.Context, key string, ids []string, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		e = m.order.PushBack(&dedupRecord{key: key})
		m.keys[key] = e
	}
	entry := e.Value.(*dedupRecord)
	entry.expires = m.now().Add(d)
	for _, id := range ids {
		if !slices.Contains(entry.ids, id) {
			entry.ids = append(entry.ids, id)
		}
	}
	if m.order.Len() > m.max {
		m.remove(m.order.Front())
	}
	return nil
}

// peek returns what is remembered under a key, and for how much longer.
func (m *MemoryDedup) peek(key string) (ids []string, left time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return nil, 0
	}
	entry := e.Value.(*dedupRecord)
	return slices.Clone(entry.ids), entry.expires.Sub(m.now())
}

// Forget implements Dedup.
func (m *MemoryDedup) Forget(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.keys[key]; ok {
		m.remove(e)
	}
	return nil
}

func (m *MemoryDedup) remove(e *list.Element) {
	m.order.Remove(e)
	delete(m.keys, e.Value.(*dedupRecord).key)
}
