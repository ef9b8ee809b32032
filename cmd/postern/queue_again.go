package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/gateway/again"
	"postern/gateway/kept"
	"postern/gateway/ops/audit"
	"postern/gateway/reload"
	"postern/gateway/text"
)

// again has a message that is still stored sent once more.
func (q *queueCommand) again(ctx context.Context) (err error) {
	if len(q.cfg.Endpoints()) == 0 {
		return errors.New("this environment has no endpoints: set the POSTERN_WEBHOOK_… variables of your gateway")
	}
	router, err := q.cfg.Router(reload.Deps{})
	if err != nil {
		return err
	}
	var delivered kept.Store // nil: none is kept
	if s, err := app.KeptBeside(ctx, q.cfg.Delivery); err == nil {
		delivered = s
		defer s.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	told, err := app.OpenTeller(ctx, q.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, told.Close()) }()
	sender := app.NewSendAgain(q.cfg, q.queue, delivered, router, told.Tell)
	request := again.Request{Endpoint: q.to, SameID: q.sameID, By: operator().String()}
	if request.Message, err = told.Find(ctx, q.args[0]); err != nil {
		return fmt.Errorf("%s: %w (postern trace tells the ids)", q.args[0], err)
	}
	if q.filter.Recipient != "" {
		request.Recipients = []string{q.filter.Recipient}
	}
	stop := cli.Watch(q.s.Err, func() string { return "queueing …" })
	sent, err := sender.Send(ctx, request)
	stop()
	if err != nil {
		return err
	}
	for _, d := range sent {
		fmt.Fprintf(q.s.Out, "%s  %s  %s\n", d.ID, d.Endpoint, text.Terminal(strings.Join(d.Recipients, ", ")))
	}
	fmt.Fprintf(q.s.Out, "%d due now\n", len(sent))
	audited(q.s, q.cfg.Process, audit.Sent, len(sent), slog.String("message", request.Message), slog.String("to", q.to), slog.Bool("same_id", q.sameID))
	return nil
}
