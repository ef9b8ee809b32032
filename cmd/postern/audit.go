package main

import (
	"log/slog"
	"os/user"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/ops/audit"
)

// operator is who is at the command line.
func operator() audit.Who {
	w := audit.Who{Via: audit.CLI, By: "somebody"}
	if u, err := user.Current(); err == nil && u.Username != "" {
		w.By = u.Username
	}
	return w
}

// audited writes the line of a change that the API writes for its own, for who
// gathers a script's error output. A person at a terminal has read the answer.
func audited(s *stdio, p config.Process, did string, count int, what ...slog.Attr) {
	if cli.Terminal(s.Err) {
		return
	}
	log, flush := p.Logger(s.Err)
	defer flush()
	audit.Log(log, operator(), did, count, what...)
}
