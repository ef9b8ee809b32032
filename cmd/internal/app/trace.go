package app

import (
	"context"
	"os"

	"postern/gateway"
	"postern/gateway/tracing"
)

var _ gateway.Tracer = (*tracing.Tracer)(nil)

// trace starts tracing where the standard OTEL_ variables ask for it. What is
// wrong with them is no reason to take no mail.
func (a *App) trace(ctx context.Context) {
	if !tracing.On(os.Getenv) {
		return
	}
	t, err := tracing.New(ctx, tracing.Deps{Getenv: os.Getenv, Logger: a.deps.Logger, Version: a.deps.Version})
	if err != nil {
		a.deps.Logger.Error("there are no traces", "err", err)
		return
	}
	a.tracer, a.deps.propagate = t, tracing.Propagate
	a.onClose("traces", t.Close)
}
