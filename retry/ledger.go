package retry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// How a SafeLedger treats a store that is away.
const (
	ledgerRest  = 5 * time.Second // it isn't asked so long after it failed
	ledgerWrite = 5 * time.Second // for handing a note on
)

// SafeLedger is a Ledger in a store that may be away: meanwhile memory
// remembers who took a message, and hands it on when the store is back. A note
// that memory holds when the process ends is lost, and a re-send may reach
// those again that it names, with the same webhook-id.
type SafeLedger struct {
	store  Ledger
	memory *MemoryLedger
	log    *slog.Logger

	mu    sync.Mutex
	away  time.Time       // when the store failed last; zero: it didn't
	notes map[string]bool // what the store is to hear: true, memory holds a note under the key; false, it is to be forgotten
}

// NewSafeLedger remembers at most n messages while the store is away.
func NewSafeLedger(store Ledger, n int, log *slog.Logger) *SafeLedger {
	return &SafeLedger{store: store, memory: NewMemoryLedger(n), log: log, notes: map[string]bool{}}
}

// Taken implements Ledger. The error is the store's, once in a while, and
// memory's answer comes with it.
func (s *SafeLedger) Taken(ctx context.Context, key string) ([]string, error) {
	ids, _ := s.memory.Taken(ctx, key) // never fails
	stored, err := ask(s, func() ([]string, error) { return s.store.Taken(ctx, key) })
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

// Remember implements Ledger; it doesn't fail.
func (s *SafeLedger) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	_, err := ask(s, func() (struct{}, error) { return struct{}{}, s.store.Remember(ctx, key, ids, d) })
	if err == nil {
		return nil
	}
	s.mu.Lock()
	s.notes[key] = true
	s.mu.Unlock()
	return s.memory.Remember(ctx, key, ids, d)
}

// Forget implements Ledger; it doesn't fail. What the store never hears of ends
// by itself.
func (s *SafeLedger) Forget(ctx context.Context, key string) error {
	_ = s.memory.Forget(ctx, key) // never fails
	_, err := ask(s, func() (struct{}, error) { return struct{}{}, s.store.Forget(ctx, key) })
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.notes, key)
	if err != nil && len(s.notes) < s.memory.max {
		s.notes[key] = false
	}
	return nil
}

// errResting is returned while a store that failed isn't asked.
var errResting = errors.New("retry: the store failed a moment ago")

// ask asks the store, unless it failed just now: what waits for it must not
// hold up mail that a healthy webhook takes.
func ask[T any](s *SafeLedger, f func() (T, error)) (T, error) {
	s.mu.Lock()
	resting := !s.away.IsZero() && time.Since(s.away) < ledgerRest
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
func (s *SafeLedger) Run(ctx context.Context) {
	tick := time.NewTicker(ledgerRest)
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

func (s *SafeLedger) handOn(ctx context.Context) {
	s.mu.Lock()
	keys := make([]string, 0, len(s.notes))
	for k := range s.notes {
		keys = append(keys, k)
	}
	s.mu.Unlock()
	done := 0
	for _, key := range keys {
		if s.tell(ctx, key) != nil {
			return
		}
		s.mu.Lock()
		delete(s.notes, key)
		s.mu.Unlock()
		_ = s.memory.Forget(ctx, key)
		done++
	}
	if done > 0 {
		s.log.Info("the store is back and knows who took which message", "count", done)
	}
}

// tell tells the store what it missed about a key.
func (s *SafeLedger) tell(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWrite)
	defer cancel()
	s.mu.Lock()
	held := s.notes[key]
	s.mu.Unlock()
	ids, left := s.memory.note(key)
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
