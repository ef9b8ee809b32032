package main

import (
	"context"
	"fmt"
	"net"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/devhook"
)

const listenHelp = `[flags]

A webhook for development: it prints what it is sent and answers as told.
`

// cmdListen is a webhook that prints what it is sent.
func cmdListen(ctx context.Context, s *stdio, args []string) error {
	h := &devhook.Hook{Out: s.Out}
	fs := cli.NewFlags("listen", listenHelp)
	addr := fs.String("addr", "127.0.0.1:3000", "`address` to listen on")
	fs.Func("status", "`statuses` to answer with, one a request; the last holds for the rest: 503 or 503,503,200 (default 200)", func(v string) (err error) { h.Statuses, err = devhook.ParseStatuses(v); return err })
	fs.StringVar(&h.Reply, "reply", "", "SMTP `reply` to ask for, such as \"550 5.1.1 No such project\"")
	fs.StringVar(&h.Text, "text", "", "short text/plain `body`, which a rejection passes on to the sender")
	fs.StringVar(&h.Secret, "secret", "", "the endpoint's `secret`, whsec_…: what it didn't sign is answered 401")
	fs.Duration(&h.Delay, "delay", 0, "`time` to wait before each answer")
	fs.BoolVar(&h.Full, "full", false, "don't shorten long values")
	fs.Func("max-body", "largest body taken, a `size` such as 1MB; a larger one is answered 413, as a proxy does (default 256MiB)", func(v string) error {
		var s config.Size
		err := s.UnmarshalText([]byte(v))
		h.MaxBody = int64(s)
		return err
	})
	fs.IntVar(&h.Count, "count", 0, "end after so many requests; 0 never")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("%w (--addr takes another address)", err)
	}
	url := "http://" + ln.Addr().String() + "/"
	fmt.Fprintf(s.Out, "Listening on %s\nTry it: POSTERN_WEBHOOK_URL=%s postern serve\n", url, url)
	return h.Serve(ctx, ln)
}
