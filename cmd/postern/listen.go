package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/devhook"
)

const listenHelp = `[flags]

A webhook for development: it prints what it is sent and answers as told. With
--forward it hands each request on to your app and the app's answer back, and
keeps the last 20 requests in a folder of yours: r on the terminal sends the last
one again, --replay any of them, also while no listen runs.
`

// listening are the flags of listen.
type listening struct {
	hook    devhook.Hook
	addr    string
	forward config.URL
	replay  string
	folder  string
}

// cmdListen is a webhook that prints what it is sent.
func cmdListen(ctx context.Context, s *stdio, args []string) error {
	l := &listening{hook: devhook.Hook{Out: s.Out}}
	if err := l.parse(args); err != nil {
		return err
	}
	kept := &devhook.Kept{Folder: l.folder}
	forwarder := devhook.NewForwarder(string(l.forward), l.hook.Secret, kept)
	defer forwarder.Close()
	if l.replay != "" {
		return sendAgain(ctx, s, forwarder, l.replay)
	}
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		return fmt.Errorf("%w (--addr takes another address)", err)
	}
	url := "http://" + ln.Addr().String() + "/"
	fmt.Fprintf(s.Out, "Listening on %s\nTry it: POSTERN_WEBHOOK_URL=%s postern serve\n", url, url)
	if l.forward == "" {
		return l.hook.Serve(ctx, ln)
	}
	l.hook.Forward = forwarder
	fmt.Fprintf(s.Out, "Forwarding to %s; the last %d requests are kept in %s\n", l.forward, devhook.Keep, kept.Folder)
	return l.serve(ctx, s, ln)
}

// parse reads the flags.
func (l *listening) parse(args []string) error {
	h, fs := &l.hook, cli.NewFlags("listen", listenHelp)
	fs.StringVar(&l.addr, "addr", "", "`address` to listen on (default 127.0.0.1:3000, with --forward 127.0.0.1:3001)")
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
	fs.Func("forward", "`url` of your app, such as http://localhost:3000/mail", func(v string) error { return l.forward.UnmarshalText([]byte(v)) })
	fs.StringVar(&l.replay, "replay", "", "send a kept request once more and end: its webhook-`id`, the beginning of it, or last")
	fs.StringVar(&l.folder, "folder", keptFolder(), "`folder` of the kept requests")
	if err := fs.Parse(args, 0, 0); err != nil {
		return err
	}
	switch {
	case l.forward != "" && (len(h.Statuses) > 0 || h.Reply != "" || h.Text != ""):
		return cli.Misuse("with --forward the app answers: leave --status, --reply and --text out")
	case l.addr == "" && l.forward != "":
		l.addr = "127.0.0.1:3001"
	case l.addr == "":
		l.addr = "127.0.0.1:3000"
	}
	return nil
}

// keptFolder is where requests are kept for the user.
func keptFolder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "postern", "listen")
}

// serve forwards, and sends again what somebody at the terminal asks for.
func (l *listening) serve(ctx context.Context, s *stdio, ln net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	var keys sync.WaitGroup
	defer keys.Wait()
	defer stop()
	if cli.Terminal(s.In) {
		fmt.Fprintln(s.Out, "r sends the last one again, Ctrl-C ends")
	}
	keys.Go(func() {
		cli.Keys(ctx, s.In, func(key byte) {
			if key != 'r' {
				return
			}
			if err := sendAgain(ctx, s, l.hook.Forward, "last"); err != nil {
				fmt.Fprintln(s.Err, "postern listen:", err)
			}
		})
	})
	return l.hook.Serve(ctx, ln)
}

// sendAgain sends a kept request to the app once more.
func sendAgain(ctx context.Context, s *stdio, f *devhook.Forwarder, id string) error {
	r, err := f.Kept.Find(id)
	if err != nil {
		return err
	}
	words, err := f.Again(ctx, r)
	if err != nil {
		return fmt.Errorf("sending %s again: %w", r.ID(), err)
	}
	_, err = fmt.Fprintf(s.Out, "sent again %s\n", words)
	return err
}
