package retry

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// MemoryLedger is a Ledger without a store: it remembers the newest keys up to
// its size and forgets the rest, and everything at a restart.
type MemoryLedger struct {
	now func() time.Time // carries Go's monotonic reading
	max int

	mu    sync.Mutex
	order *list.List // of *ledgerEntry, oldest first
	keys  map[string]*list.Element
}

type ledgerEntry struct {
	key     string
	ids     []string
	expires time.Time
}

// NewMemoryLedger remembers at most n keys.
func NewMemoryLedger(n int) *MemoryLedger {
	return &MemoryLedger{now: time.Now, max: n, order: list.New(), keys: map[string]*list.Element{}}
}

// Taken implements Ledger.
func (m *MemoryLedger) Taken(_ context.Context, key string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return nil, nil
	}
	entry := e.Value.(*ledgerEntry)
	if !m.now().Before(entry.expires) {
		m.remove(e)
		return nil, nil
	}
	return slices.Clone(entry.ids), nil
}

// Remember implements Ledger.
func (m *MemoryLedger) Remember(_ context.Context, key string, ids []string, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		e = m.order.PushBack(&ledgerEntry{key: key})
		m.keys[key] = e
	}
	entry := e.Value.(*ledgerEntry)
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

// note is what is remembered under a key, and for how much longer.
func (m *MemoryLedger) note(key string) (ids []string, left time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.keys[key]
	if !ok {
		return nil, 0
	}
	entry := e.Value.(*ledgerEntry)
	return slices.Clone(entry.ids), entry.expires.Sub(m.now())
}

// Forget implements Ledger.
func (m *MemoryLedger) Forget(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.keys[key]; ok {
		m.remove(e)
	}
	return nil
}

func (m *MemoryLedger) remove(e *list.Element) {
	m.order.Remove(e)
	delete(m.keys, e.Value.(*ledgerEntry).key)
}
