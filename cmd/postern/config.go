package main

import (
	"context"
	"fmt"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
)

// cmdConfig prints the configuration that serve would run with.
func cmdConfig(_ context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("config", "[--markdown]\n\nPrints the configuration that serve would run with, secrets hidden, and warns of\nwhat is seldom meant.")
	markdown := fs.Bool("markdown", false, "print the table of all variables instead")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	if *markdown {
		return config.WriteTable(s.Out)
	}
	c, err := config.Load(s.Environ)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings(s.Environ) {
		fmt.Fprintln(s.Err, "warning:", cli.Hang(s.Err, 9, w))
	}
	return config.Write(s.Out, c)
}
