package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

const listenHelp = `[flags]

A webhook for development: it prints what it is sent and answers as told.
`

// cmdListen is a webhook that prints what it is sent.
func cmdListen(ctx context.Context, s *stdio, args []string) error {
	l := &listener{out: s.Out}
	fs := newFlags(s, "listen", listenHelp)
	addr := fs.String("addr", "127.0.0.1:3000", "`address` to listen on")
	fs.Func("status", "`statuses` to answer with, one a request; the last holds for the rest: 503 or 503,503,200 (default 200)", l.setStatuses)
	fs.StringVar(&l.reply, "reply", "", "SMTP reply to ask for, such as `\"550 5.1.1 No such project\"`")
	fs.StringVar(&l.text, "text", "", "short text/plain `body`, which a rejection passes on to the sender")
	fs.StringVar(&l.secret, "secret", "", "check the signature with this `whsec_…` secret")
	fs.DurationVar(&l.delay, "delay", 0, "`time` to wait before each answer")
	fs.BoolVar(&l.full, "full", false, "don't shorten long values")
	fs.IntVar(&l.count, "count", 0, "end after so many requests; 0 never")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("%w (--addr takes another address)", err)
	}
	url := "http://" + ln.Addr().String() + "/"
	fmt.Fprintf(s.Out, "Listening on %s\nTry it: POSTERN_WEBHOOK_URL=%s postern serve\n", url, url)
	return l.serve(ctx, ln)
}

// setStatuses reads --status.
func (l *listener) setStatuses(v string) error {
	var words List
	if err := words.UnmarshalText([]byte(v)); err != nil {
		return err
	}
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 200 || n > 599 {
			return fmt.Errorf("%q is no status from 200 to 599", w)
		}
		l.statuses = append(l.statuses, n)
	}
	return nil
}

// serve answers until the context ends, or until count requests were answered.
func (l *listener) serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.enough = cancel
	server := &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer stop()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
