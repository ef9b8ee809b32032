package main

import (
	"context"

	"postern/cmd/internal/cli"
	"postern/webhook/payload"
)

// cmdSchema prints the JSON Schema of the native payload.
func cmdSchema(_ context.Context, s *stdio, args []string) error {
	if err := cli.NewFlags("schema", "\n\nPrints the JSON Schema of the native payload.").Parse(args, 0, 0); err != nil {
		return err
	}
	_, err := s.Out.Write(payload.Schema())
	return err
}
