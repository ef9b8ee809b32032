package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/gateway/ops/audit"
	"postern/gateway/ops/change"
	"postern/gateway/text"
	"postern/retry"
)

// deed is what a command does to deliveries.
type deed struct {
	verb  change.Verb
	did   string // in the audit line
	doing string // for people who wait
	done  string // of the deliveries
	fits  func(retry.State) error
}

func (q *queueCommand) retry(ctx context.Context) error {
	return q.change(ctx, deed{change.Retry, audit.Retried, "making deliveries due", "due now", func(s retry.State) error {
		switch s {
		case retry.Dead:
			return errors.New("it is a dead letter: postern queue replay is for those")
		case retry.Leased:
			return errAttempted
		}
		return nil
	}})
}

func (q *queueCommand) replay(ctx context.Context) error {
	return q.change(ctx, deed{change.Replay, audit.Replayed, "replaying", "due again", func(s retry.State) error {
		switch s {
		case retry.Due:
			return errors.New("it waits already: postern queue retry is for what waits")
		case retry.Leased:
			return errAttempted
		}
		return nil
	}})
}

func (q *queueCommand) delete(ctx context.Context) error {
	return q.change(ctx, deed{change.Delete, audit.Deleted, "deleting", "deleted", func(s retry.State) error {
		if s == retry.Leased {
			return errAttempted
		}
		return nil
	}})
}

// errAttempted is why nothing can be done to a leased delivery.
var errAttempted = errors.New("it is being attempted now: try again in a moment, or pause its endpoint before")

// change does something to the chosen deliveries, or says what it would do.
func (q *queueCommand) change(ctx context.Context, d deed) (err error) {
	if err := q.name(ctx, d); err != nil {
		return err
	}
	if q.dryRun {
		return q.tellChange(ctx, d)
	}
	told, err := app.OpenTeller(ctx, q.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, told.Close()) }()
	n, err := q.do(ctx, d, change.New(q.queue, told.Tell, time.Now))
	if n > 0 || err == nil {
		audited(q.s, q.cfg.Process, d.did, n, slog.String("filter", text.Shorten(q.chosen(), maxAudited)), slog.String("to", q.to))
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what was done stays done")
	}
	if err != nil && n > 0 {
		return fmt.Errorf("%d %s, then: %w", n, d.done, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(q.s.Out, "%d %s\n", n, d.done)
	return err
}

// do makes the change while a person can see how far it is.
func (q *queueCommand) do(ctx context.Context, d deed, c *change.Changer) (int, error) {
	var total, done atomic.Int64
	began := time.Now()
	stop := cli.Watch(q.s.Err, func() string {
		if n := total.Load(); n > 0 {
			return fmt.Sprintf("%s: %d of %d", d.doing, done.Load(), n)
		}
		return "counting … " + short(time.Since(began))
	})
	defer stop()
	r := change.Request{Verb: d.verb, Filter: q.filter, To: q.to, Spread: q.spread, By: operator().String()}
	n, err := c.Count(ctx, r)
	if err != nil {
		return 0, err
	}
	total.Store(int64(n))
	return c.Do(ctx, r, func(n int) { done.Store(int64(n)) })
}

// name makes a filter of the ids, each of which must be one that the change is
// for: all of them are changed, or none.
func (q *queueCommand) name(ctx context.Context, d deed) error {
	var errs []error
	for _, id := range q.args {
		info, _, err := q.find(ctx, id)
		if err == nil {
			if err = d.fits(info.State); err != nil {
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
func (q *queueCommand) tellChange(ctx context.Context, d deed) error {
	var count endpointCount
	stop := cli.Watch(q.s.Err, count.line)
	var rows []string
	_, err := q.each(ctx, func(i retry.Info) (bool, error) {
		if d.fits(i.State) != nil {
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
	_, err = fmt.Fprintf(q.s.Out, "%d would be %s%s; nothing was changed\n", count.n(), d.done, count.parts())
	return err
}
