package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/ops/audit"
	"postern/gateway/text"
)

const forgetHelp = `[--yes] ADDRESS

Erases a person from the history and from the delivered mail that is kept:
whatever names the address as sender, recipient or account. It says how many
there are; --yes erases them. What waits in the queue stays.
`

// cmdForget erases a person from the history and from kept mail.
func cmdForget(ctx context.Context, s *stdio, args []string) (err error) {
	f := cli.NewFlags("forget", forgetHelp)
	sure := f.Bool("yes", false, "erase them")
	if err := f.Parse(args, 1, 1); err != nil {
		return err
	}
	if !strings.Contains(f.Arg(0), "@") {
		return cli.Misuse("%q is no address", f.Arg(0))
	}
	var all app.Forgetter
	h, none := openHistory(ctx, s)
	switch {
	case none == nil:
		defer func() { err = errors.Join(err, h.Close()) }()
		all.History = h
	case !errors.Is(none, fs.ErrNotExist): // POSTERN_HISTORY=0 makes none; mail may be kept all the same
		return none
	}
	c, err := config.Read(s.Environ)
	if err != nil {
		return err
	}
	if k, err := app.KeptBeside(ctx, c.Delivery); err == nil {
		defer k.Close()
		all.Kept = k
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if none != nil {
		return none
	}
	return forget(ctx, s, c.Process, all, f.Arg(0), *sure)
}

// forget erases an address, or says what it would erase.
func forget(ctx context.Context, s *stdio, p config.Process, all app.Forgetter, address string, sure bool) error {
	shown := text.Terminal(address)
	if !sure {
		stop := cli.Watch(s.Err, func() string { return "counting …" })
		records, messages, err := all.Names(ctx, address)
		stop()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.Out, "%d records and %d kept messages name %s; postern forget --yes %[3]s erases them\n", records, messages, shown)
		return err
	}
	stop := cli.Watch(s.Err, func() string { return "erasing …" })
	records, messages, err := all.Forget(ctx, address)
	stop()
	if err != nil {
		return err
	}
	audited(s, p, audit.Forgot, records+messages) // the line must not name whom it is about
	_, err = fmt.Fprintf(s.Out, "%d records erased, %d kept messages; what still waits in the queue is its own: postern queue list --recipient %s\n", records, messages, shown)
	return err
}
