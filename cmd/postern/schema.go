package main

import (
	"context"

	"postern/webhook/payload"
)

// cmdSchema prints the JSON Schema of the native payload.
func cmdSchema(_ context.Context, s *stdio, args []string) error {
	if err := parseFlags(newFlags(s, "schema", "\n\nPrints the JSON Schema of the native payload."), args); err != nil {
		return err
	}
	_, err := s.Out.Write(payload.Schema())
	return err
}
