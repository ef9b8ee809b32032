package retry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// How a FallbackDedup treats a store that is away.
const (
	dedupRest  = 5 * time.Second // it isn't asked so long after it failed
	dedupWrite = 5 * time.Second // for handing a record on
)

// FallbackDedup is a Dedup in a store that may be away: meanwhile memory keeps
// the records, and hands them on when the store is back. A record that memory
// holds when the process ends is lost, and a re-send may reach those again that
// it names, with the same webhook-id.
type FallbackDedup struct {
	store  Dedup
	memory *MemoryDedup
	log    *slog.Logger

	mu      sync.Mutex
	away    time.Time       // when the store failed last; zero: it didn't
	pending map[string]bool // by key, what the store is still to hear: true, that memory holds a record; false, that it is to be forgotten
}

// NewFallbackDedup remembers at most n messages while the store is away.
func NewFallbackDedup(store Dedup, n int, log *slog.Logger) *FallbackDedup {
	return &FallbackDedup{store: store, memory: NewMemoryDedup(n), log: log, pending: map[string]bool{}}
}

// Delivered implements Dedup. The error is the store's, once in a while, and
// memory's answer comes with it.
func (s *FallbackDedup) Delivered(ctx context.Context, key string) ([]string, error) {
	ids, _ := s.memory.Delivered(ctx, key) // never fails
	stored, err := ask(s, func() ([]string, error) { return s.store.Delivered(ctx, key) })
	for _, id := range stored {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if errors.Is(err, errResting) {
		err = nil
	}
	return ids, err
}

// Remember implements Dedup; it doesn't fail.
func (s *FallbackDedup) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	_, err := ask(s, func() (struct{}, error) { return struct{}{}, s.store.Remember(ctx, key, ids, d) })
	if err == nil {
		return nil
	}
	s.mu.Lock()
	s.pending[key] = true
	s.mu.Unlock()
	return s.memory.Remember(ctx, key, ids, d)
}

// Forget implements Dedup; it doesn't fail. What the store never hears of ends
// by itself.
func (s *FallbackDedup) Forget(ctx context.Context, key string) error {
	_ = s.memory.Forget(ctx, key) // never fails
	_, err := ask(s, func() (struct{}, error) { return struct{}{}, s.store.Forget(ctx, key) })
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, key)
	if err != nil && len(s.pending) < s.memory.max {
		s.pending[key] = false
	}
	return nil
}

// errResting is returned while a store that failed isn't asked.
var errResting = errors.New("retry: the store failed a moment ago")

// ask asks the store, unless it failed just now: what waits for it must not
// hold up mail that a healthy webhook takes.
func ask[T any](s *FallbackDedup, f func() (T, error)) (T, error) {
	s.mu.Lock()
	resting := !s.away.IsZero() && time.Since(s.away) < dedupRest
	s.mu.Unlock()
	if resting {
		var none T
		return none, errResting
	}
	v, err := f()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.away.IsZero():
		s.log.Warn("the store is away: who took a message is remembered in memory", "err", err)
		s.away = time.Now()
	case err != nil:
		s.away = time.Now()
	default:
		s.away = time.Time{}
	}
	return v, err
}

// Run hands on what memory holds, whenever the store is back, until ctx ends.
func (s *FallbackDedup) Run(ctx context.Context) {
	tick := time.NewTicker(dedupRest)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.handOn(ctx)
		}
	}
}

func (s *FallbackDedup) handOn(ctx context.Context) {
	s.mu.Lock()
	keys := make([]string, 0, len(s.pending))
	for k := range s.pending {
		keys = append(keys, k)
	}
	s.mu.Unlock()
	done := 0
	for _, key := range keys {
		if s.handOnKey(ctx, key) != nil {
			return
		}
		s.mu.Lock()
		delete(s.pending, key)
		s.mu.Unlock()
		_ = s.memory.Forget(ctx, key)
		done++
	}
	if done > 0 {
		s.log.Info("the store is back and knows who took which message", "count", done)
	}
}

// handOnKey gives the store what it missed about a key.
func (s *FallbackDedup) handOnKey(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, dedupWrite)
	defer cancel()
	s.mu.Lock()
	held := s.pending[key]
	s.mu.Unlock()
	ids, left := s.memory.peek(key)
	_, err := ask(s, func() (struct{}, error) {
		switch {
		case !held:
			return struct{}{}, s.store.Forget(ctx, key)
		case left > 0:
			return struct{}{}, s.store.Remember(ctx, key, ids, left)
		}
		return struct{}{}, nil
	})
	return err
}
