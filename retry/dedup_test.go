package retry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// flaky is a Dedup in a store that may be away.
type flaky struct {
	*MemoryDedup
	mu    sync.Mutex
	down  bool
	asked int
}

func (f *flaky) set(down bool) {
	f.mu.Lock()
	f.down = down
	f.mu.Unlock()
}

// times is how often it was asked.
func (f *flaky) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func (f *flaky) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked++; f.down {
		return errors.New("connection refused")
	}
	return nil
}

func (f *flaky) Delivered(ctx context.Context, key string) ([]string, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.MemoryDedup.Delivered(ctx, key)
}

func (f *flaky) Remember(ctx context.Context, key string, ids []string, d time.Duration) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.MemoryDedup.Remember(ctx, key, ids, d)
}

func (f *flaky) Forget(ctx context.Context, key string) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.MemoryDedup.Forget(ctx, key)
}

// TestFallbackDedup: what happens while the store is away is known then, and to the
// store once it is back.
func TestFallbackDedup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		store := &flaky{MemoryDedup: NewMemoryDedup(100)}
		l := NewFallbackDedup(store, 100, slog.New(slog.DiscardHandler))
		ended := make(chan struct{})
		go func() { defer close(ended); l.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		taken := func(from Dedup, key string, want ...string) {
			t.Helper()
			got, _ := from.Delivered(ctx, key)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s is taken by %v, want %v", key, got, want)
			}
		}
		note := func(key string, ids ...string) {
			t.Helper()
			if err := l.Remember(ctx, key, ids, time.Hour); err != nil {
				t.Error(err)
			}
		}
		note("a", "x")
		note("old", "x")
		taken(store, "a", "x")
		store.set(true)
		note("a", "y")
		note("b", "x")
		note("short", "x")
		note("heard", "x")
		if err := l.Forget(ctx, "heard"); err != nil {
			t.Error(err)
		}
		_ = l.Forget(ctx, "old")
		taken(l, "a", "y") // x is in the store
		taken(l, "b", "x")
		taken(l, "heard")
		asked := store.times()
		for range 100 {
			_, _ = l.Delivered(ctx, "c")
		}
		if n := store.times(); n != asked {
			t.Errorf("a store that is away was asked %d times at once", n-asked)
		}
		time.Sleep(time.Minute)
		taken(l, "b", "x")
		store.set(false)
		time.Sleep(time.Minute)
		taken(store, "a", "x", "y")
		taken(store, "b", "x")
		taken(store, "heard")
		taken(store, "old")
		taken(l, "a", "x", "y")
		if len(l.pending) != 0 || len(l.memory.keys) != 0 {
			t.Errorf("memory keeps %v", l.pending)
		}
		time.Sleep(time.Hour)
		taken(l, "b")
	})
}
