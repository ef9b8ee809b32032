package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
)

// cmdServe runs the gateway until it is told to stop.
func cmdServe(ctx context.Context, s *stdio, args []string) error {
	fs := newFlags(s, "serve", "\nReceives mail until SIGTERM or SIGINT. Configured by POSTERN_ variables alone: postern config lists them.")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	cfg, err := loadConfig(s.Environ)
	if err != nil {
		return err
	}
	log := cfg.Process.logger(s.Err)
	for _, w := range cfg.warnings() {
		log.Warn(w)
	}
	if limit := int64(cfg.Process.MemoryLimit); limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 9) // the rest is for what Go doesn't count
	}
	a, err := newApp(ctx, cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(a.Run(ctx), a.Close())
}

// logger writes the log that the configuration asks for.
func (c ProcessConfig) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
