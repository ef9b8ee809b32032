package sqlite

import (
	"log/slog"
	"postern/retry"
	"postern/retry/engine"
	"time"
)

// Options bound a queue. Zero fields take the defaults named.
type Options struct {
	MaxBytes    int64 // of bodies, dead letters' share aside; 4 GiB
	MaxMessages int64 // 1,000,000
	MaxMessage  int64 // the largest message, for MinFree's default; 50 MiB
	// MinFree is how much of the disk must stay free: 0 takes the larger of
	// 5 % of the disk and 256 MiB + 2 x MaxMessage, -1 no floor.
	MinFree int64
	// Bodies takes bodies over engine.InlineMax instead of the folder; nil: none.
	Bodies engine.Bodies
	// Admin opens the queue beside its running owner: no lock, no sweep, no
	// recovery. The database must exist.
	Admin   bool
	Logger  *slog.Logger
	Now     func() time.Time // nil: retry.SteadyClock
	OnFatal func(error)      // called once when the store can't write any more
	// Fault is called at each named point between a body's first byte and the
	// commit; an error is what the system call there would have returned. For
	// tests.
	Fault func(point string) error
	// Unsafe leaves every fsync out, for a test's negative control.
	Unsafe bool
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = engine.DefaultMaxBytes
	}
	if o.MaxMessages == 0 {
		o.MaxMessages = engine.DefaultMaxMessages
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 50 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = retry.SteadyClock(time.Now)
	}
	if o.OnFatal == nil {
		o.OnFatal = func(error) {}
	}
	if o.Fault == nil {
		o.Fault = func(string) error { return nil }
	}
	return o
}
