package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/cli"
	"postern/gateway/archive"
	"postern/gateway/text"
	"postern/retry"
)

func (q *queueCommand) show(ctx context.Context) error {
	if q.payload || q.curl {
		return q.showNext(ctx)
	}
	info, attempts, err := q.find(ctx, q.args[0])
	switch {
	case err != nil:
		return err
	case q.json:
		return json.NewEncoder(q.s.Out).Encode(struct {
			retry.Info
			History []retry.PastAttempt `json:"history"`
		}{info, attempts})
	}
	states, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(q.s.Out, 0, 0, 2, ' ', 0)
	for _, line := range q.facts(info, heldNote(states, info.Endpoint, time.Now()), time.Now()) {
		fmt.Fprintf(w, "%s\t%s\n", line[0], text.Terminal(line[1]))
	}
	fmt.Fprintln(w, "\t")
	for _, a := range attempts {
		fmt.Fprintf(w, "attempt %d\t%s  %s in %s\n", a.N, a.At.Format(time.RFC3339), a.Reason, a.Took.Round(time.Millisecond))
		if a.Error != "" {
			fmt.Fprintf(w, "\t  %s\n", text.Terminal(a.Error))
		}
	}
	return w.Flush()
}

// facts are what is known of a delivery, a line each.
func (q *queueCommand) facts(i retry.Info, held string, now time.Time) [][2]string {
	facts := [][2]string{
		{"id", i.ID}, {"message", i.MessageID}, {"state", strings.TrimSpace(string(i.State) + " " + i.Reason)}, {"endpoint", i.Endpoint},
		{"from", "<" + i.From + ">"}, {"to", strings.Join(i.Recipients, ", ")}, {"subject", i.Subject}, {"size", fmt.Sprintf("%d octets", i.Size)},
		{"received", i.Received.Format(time.RFC3339)},
	}
	switch i.State {
	case retry.Due:
		until := "until " + i.Expires.Format(time.RFC3339) + ", then it is a dead letter"
		if !i.Expires.After(now) {
			until = "its time is over: the next attempt is its last"
		}
		return append(facts, [2]string{"next attempt", dueIn(i, held, now)}, [2]string{"is tried", until})
	case retry.Leased:
		return append(facts, [2]string{"next attempt", "under way"})
	}
	kept := "until it is replayed or deleted"
	if d := q.cfg.Delivery.DeadRetain; d > 0 {
		kept += ", at most until " + i.Received.Add(d).Format(time.RFC3339)
	}
	return append(facts, [2]string{"is kept", kept})
}

// find is a delivery by its id or the beginning of it.
func (q *queueCommand) find(ctx context.Context, id string) (retry.Info, []retry.PastAttempt, error) {
	info, attempts, err := retry.Find(ctx, q.queue, id)
	if errors.Is(err, retry.ErrNotFound) {
		err = fmt.Errorf("no such delivery: %s (queue list shows the ids)", id)
	}
	return info, attempts, err
}

// export writes each message as it was received, our header lines before it.
func (q *queueCommand) export(ctx context.Context) error {
	var done atomic.Int64
	stop := cli.Watch(q.s.Err, func() string { return fmt.Sprintf("%d of %d exported", done.Load(), len(q.args)) })
	defer stop()
	for _, id := range q.args {
		path, err := q.exportOne(ctx, id)
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintln(q.s.Out, path)
		done.Add(1)
	}
	return nil
}

// exportOne verifies the stored octets before it writes the first of them.
func (q *queueCommand) exportOne(ctx context.Context, id string) (path string, err error) {
	info, _, err := q.find(ctx, id)
	if err != nil {
		return "", err
	}
	m, err := archive.Open(ctx, q.queue, info.MessageID)
	if err != nil {
		return "", err
	}
	defer m.Close()
	raw, err := m.Raw().Open()
	if err != nil {
		return "", err
	}
	defer raw.Close()
	path = filepath.Join(q.dir, filepath.Base(info.ID)+".eml")
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, raw)
	return path, errors.Join(err, out.Close())
}
