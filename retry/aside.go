package retry

import "context"

type aside struct{}

// Aside marks the context of who opens a body for somebody who may read it as
// slowly as they like: it must not take the room of deliveries, and is ErrBusy
// where there is no other.
func Aside(ctx context.Context) context.Context { return context.WithValue(ctx, aside{}, true) }

// IsAside reports whether Aside made the context, or one that it comes from.
func IsAside(ctx context.Context) bool { return ctx.Value(aside{}) != nil }
