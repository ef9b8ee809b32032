package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern/cmd/internal/cli"
	"postern/gateway/history"
	"postern/gateway/text"
)

const forgetHelp = `[--yes] ADDRESS

Erases a person from the history: every record that names the address as sender,
recipient or account. It says how many there are; --yes erases them.
`

// cmdForget erases a person from the history.
func cmdForget(ctx context.Context, s *stdio, args []string) (err error) {
	f := cli.NewFlags("forget", forgetHelp)
	sure := f.Bool("yes", false, "erase them")
	if err := f.Parse(args, 1, 1); err != nil {
		return err
	}
	if !strings.Contains(f.Arg(0), "@") {
		return cli.Misuse("%q is no address", f.Arg(0))
	}
	h, err := openHistory(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if !*sure {
		found, next, err := h.Find(ctx, history.Query{Address: f.Arg(0), Limit: history.MaxLimit})
		if err != nil {
			return err
		}
		n := 0
		for i := range found {
			if found[i].Names(f.Arg(0)) {
				n++
			}
		}
		more := ""
		if next != "" {
			more = "at least "
		}
		fmt.Fprintf(s.Out, "%s%d records name %s; postern forget --yes %s erases them\n", more, n, text.Terminal(f.Arg(0)), text.Terminal(f.Arg(0)))
		return nil
	}
	stop := cli.Watch(s.Err, func() string { return "erasing …" })
	n, err := h.Forget(ctx, f.Arg(0))
	stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%d records erased; what still waits in the queue is its own: postern queue list --recipient %s\n", n, text.Terminal(f.Arg(0)))
	return nil
}
