package main

import (
	"context"
	"errors"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
)

// cmdServe runs the gateway until it is told to stop.
func cmdServe(ctx context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("serve", "\nReceives mail until SIGTERM or SIGINT. It takes its settings from POSTERN_ variables\nalone: postern config lists them.")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	cfg, err := config.Load(s.Environ)
	if err != nil {
		return err
	}
	log, flush := cfg.Process.Logger(s.Err)
	defer flush()
	for _, w := range cfg.Warnings(s.Environ) {
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
