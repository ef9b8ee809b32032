package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/cli"
	"postern/gateway/ops/audit"
	"postern/gateway/text"
	"postern/retry"
)

// change is what a command does to deliveries.
type change struct {
	did   string // in the audit line
	doing string // for people who wait
	done  string // of the deliveries
	fits  func(retry.State) error
	do    func(ctx context.Context) (int, error)
}

func (q *queueCommand) retry(ctx context.Context) error {
	return q.change(ctx, change{audit.Retried, "making deliveries due", "due now", func(s retry.State) error {
		switch s {
		case retry.Dead:
			return errors.New("it is a dead letter: postern queue replay is for those")
		case retry.Leased:
			return errAttempted
		}
		return nil
	}, func(ctx context.Context) (int, error) { return q.queue.RetryNow(ctx, q.filter, q.spread) }})
}

func (q *queueCommand) replay(ctx context.Context) error {
	return q.change(ctx, change{audit.Replayed, "replaying", "due again", func(s retry.State) error {
		switch s {
		case retry.Due:
			return errors.New("it waits already: postern queue retry is for what waits")
		case retry.Leased:
			return errAttempted
		}
		return nil
	}, func(ctx context.Context) (int, error) { return q.queue.Replay(ctx, q.filter, q.to, 0) }})
}

func (q *queueCommand) delete(ctx context.Context) error {
	return q.change(ctx, change{audit.Deleted, "deleting", "deleted", func(s retry.State) error {
		if s == retry.Leased {
			return errAttempted
		}
		return nil
	}, func(ctx context.Context) (int, error) { return q.queue.Delete(ctx, q.filter) }})
}

// errAttempted is why nothing can be done to a leased delivery.
var errAttempted = errors.New("it is being attempted now: try again in a moment, or pause its endpoint before")

// change does something to the chosen deliveries, or says what it would do.
func (q *queueCommand) change(ctx context.Context, c change) error {
	if err := q.name(ctx, c); err != nil {
		return err
	}
	if q.dryRun {
		return q.tellChange(ctx, c)
	}
	began := time.Now()
	stop := cli.Watch(q.s.Err, func() string { return c.doing + " … " + short(time.Since(began)) })
	n, err := c.do(ctx)
	stop()
	if err != nil {
		return err
	}
	audited(q.s, q.cfg.Process, c.did, n, slog.String("filter", text.Shorten(q.chosen(), maxAudited)), slog.String("to", q.to))
	_, err = fmt.Fprintf(q.s.Out, "%d %s\n", n, c.done)
	return err
}

// name makes a filter of the ids, each of which must be one that the change is
// for: all of them are changed, or none.
func (q *queueCommand) name(ctx context.Context, c change) error {
	var errs []error
	for _, id := range q.args {
		info, _, err := q.find(ctx, id)
		if err == nil {
			if err = c.fits(info.State); err != nil {
				err = fmt.Errorf("%s: %w", info.ID, err)
			}
		}
		errs = append(errs, err)
		q.filter.IDs = append(q.filter.IDs, info.ID)
	}
	return errors.Join(errs...)
}

// maxAudited is the octets of a filter in an audit line.
const maxAudited = 300

// dryRows is how many deliveries a dry run names.
const dryRows = 10

// tellChange says which deliveries would be changed.
func (q *queueCommand) tellChange(ctx context.Context, c change) error {
	var count endpointCount
	stop := cli.Watch(q.s.Err, count.line)
	var rows []string
	_, err := q.each(ctx, func(i retry.Info) (bool, error) {
		if c.fits(i.State) != nil {
			return true, nil
		}
		if count.add(i.Endpoint); len(rows) < dryRows {
			rows = append(rows, row(i, "", time.Now()))
		}
		return true, nil
	})
	if stop(); err != nil {
		return err
	}
	w := tabwriter.NewWriter(cli.Fit(q.s.Out), 0, 0, 2, ' ', 0)
	if len(rows) > 0 {
		fmt.Fprintln(w, listHead+"\n"+strings.Join(rows, "\n"))
	}
	if more := count.n() - len(rows); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(q.s.Out, "%d would be %s%s; nothing was changed\n", count.n(), c.done, count.parts())
	return err
}
