package main

import (
	"context"
	"errors"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
)

// cmdServe runs the gateway until it is told to stop.
func cmdServe(ctx context.Context, s *stdio, args []string) error {
	fs := newFlags(s, "serve", "\nReceives mail until SIGTERM or SIGINT. Configured by POSTERN_ variables alone: postern config lists them.")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	cfg, err := config.Load(s.Environ)
	if err != nil {
		return err
	}
	log, flush := cfg.Process.Logger(s.Err)
	defer flush()
	for _, w := range cfg.Warnings() {
		log.Warn("a setting that is seldom meant", "why", w)
	}
	a, err := app.New(ctx, cfg, app.Deps{Logger: log, Version: versionString()})
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("stopped while starting", "err", err)
		return nil
	case err != nil:
		return err
	}
	return errors.Join(a.Run(ctx), a.Close())
}
