package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/archive"
	"postern/gateway/text"
	"postern/retry"
)

func (q *queueCommand) list(ctx context.Context) error {
	out := bufio.NewWriter(q.s.Out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !q.json {
		fmt.Fprintln(w, "ID\tSTATE\tENDPOINT\tAGE\tTRIES\tNEXT\tLAST\tFROM\tSUBJECT")
	}
	states, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	shown := 0
	for page := (retry.Page{Size: 100}); ; {
		infos, next, err := q.queue.List(ctx, q.filter, page)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if shown++; q.limit > 0 && shown > q.limit {
				break
			}
			if q.json {
				if err := json.NewEncoder(out).Encode(i); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintln(w, row(i, heldNote(states, i.Endpoint, time.Now()), time.Now()))
		}
		if next.After == "" || len(infos) == 0 || q.limit > 0 && shown >= q.limit {
			break
		}
		page = next
	}
	return errors.Join(w.Flush(), out.Flush())
}

// rowSubject is how much of a subject a line shows.
const rowSubject = 40

// row is a line of the list; held says why nothing due goes out, "" it does.
func row(i retry.Info, held string, now time.Time) string {
	last := i.LastError
	if i.LastStatus != 0 {
		last = fmt.Sprint(i.LastStatus)
	}
	next := ""
	switch i.State {
	case retry.Due:
		next = "now"
		if wait := i.DueAt.Sub(now); wait > 0 {
			next = "in " + short(wait)
		}
		if held != "" {
			next = held
		}
	case retry.Dead:
		last = i.Reason
	}
	from := i.From
	if from == "" {
		from = "<>"
	}
	cells := []string{i.ID, string(i.State), i.Endpoint, short(now.Sub(i.Received)), fmt.Sprint(i.Attempts), next, text.Shorten(last, rowSubject), from, text.Shorten(i.Subject, rowSubject)}
	for n, c := range cells {
		cells[n] = text.Terminal(strings.ReplaceAll(c, "\t", " "))
	}
	return strings.Join(cells, "\t")
}

// short writes a time to the precision that a person wants.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return config.Duration(d.Round(time.Minute))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func (q *queueCommand) show(ctx context.Context) error {
	info, attempts, err := q.queue.Get(ctx, q.args[0])
	if err != nil {
		return fmt.Errorf("%s: %w (queue list shows the ids)", q.args[0], err)
	}
	if q.json {
		return json.NewEncoder(q.s.Out).Encode(struct {
			retry.Info
			History []retry.PastAttempt `json:"history"`
		}{info, attempts})
	}
	w := tabwriter.NewWriter(q.s.Out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"id", info.ID}, {"message", info.MessageID}, {"state", strings.TrimSpace(string(info.State) + " " + info.Reason)}, {"endpoint", info.Endpoint},
		{"from", "<" + info.From + ">"}, {"to", strings.Join(info.Recipients, ", ")}, {"subject", info.Subject}, {"size", fmt.Sprint(info.Size)},
		{"received", info.Received.Format(time.RFC3339)}, {"next attempt", info.DueAt.Format(time.RFC3339)}, {"expires", info.Expires.Format(time.RFC3339)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], text.Terminal(line[1]))
	}
	fmt.Fprintln(w, "\t")
	for _, a := range attempts {
		fmt.Fprintf(w, "attempt %d\t%s  %s  %s %s\n", a.N, a.At.Format(time.RFC3339), a.Took.Round(time.Millisecond), a.Reason, text.Terminal(a.Error))
	}
	return w.Flush()
}

func (q *queueCommand) retry(ctx context.Context) error {
	q.filter.IDs = q.args
	n, err := q.queue.RetryNow(ctx, q.filter, q.spread)
	return q.report(n, "due now", err)
}

func (q *queueCommand) replay(ctx context.Context) error {
	q.filter.IDs = q.args
	n, err := q.queue.Replay(ctx, q.filter, q.to, 0)
	return q.report(n, "due again", err)
}

func (q *queueCommand) delete(ctx context.Context) error {
	q.filter.IDs = q.args
	n, err := q.queue.Delete(ctx, q.filter)
	return q.report(n, "deleted", err)
}

// report says how many were changed; none for ids that were named is an error.
func (q *queueCommand) report(n int, what string, err error) error {
	if errors.Is(err, retry.ErrNoFilter) {
		return fmt.Errorf("nothing was chosen: name ids, a filter such as --endpoint or --reason, or --all")
	}
	if err != nil {
		return err
	}
	if n == 0 && len(q.args) > 0 {
		return fmt.Errorf("no such delivery in a state that allows it: queue list shows them")
	}
	_, err = fmt.Fprintf(q.s.Out, "%d %s\n", n, what)
	return err
}

func (q *queueCommand) pauseEndpoint(ctx context.Context) error {
	if err := q.queue.Pause(ctx, q.args[0], q.pause, q.why); err != nil {
		return err
	}
	_, err := fmt.Fprintf(q.s.Out, "%s is paused; postern queue resume %s ends it\n", q.args[0], q.args[0])
	return err
}

func (q *queueCommand) resume(ctx context.Context) error {
	states, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	if err := q.queue.Resume(ctx, q.args[0]); err != nil {
		return err
	}
	note := ""
	if openBreaker(states, q.args[0]) {
		note = "; its breaker was open and lets a probe through now"
	}
	_, err = fmt.Fprintf(q.s.Out, "%s goes on%s\n", q.args[0], note)
	return err
}

func openBreaker(all []retry.EndpointState, name string) bool {
	for _, e := range all {
		if e.Endpoint == name {
			b, err := retry.UnmarshalBreaker(e.Breaker)
			return err == nil && b.State == retry.BreakerOpen
		}
	}
	return false
}

func (q *queueCommand) stats(ctx context.Context) error {
	st, err := q.queue.Stats(ctx)
	if err != nil {
		return err
	}
	if q.json {
		return json.NewEncoder(q.s.Out).Encode(st)
	}
	endpoints, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(q.s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "messages\t%d of %d\noctets\t%s of %s\n", st.Messages, st.MaxMessages, config.Size(st.Bytes), config.Size(st.MaxBytes))
	if !st.OldestDue.IsZero() {
		fmt.Fprintf(w, "oldest waiting\t%s\n", short(time.Since(st.OldestDue)))
	}
	fmt.Fprintln(w, "\nendpoint\tdue\tleased\tdead\t")
	for _, name := range slices.Sorted(maps.Keys(st.Endpoints)) {
		c := st.Endpoints[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", name, c.Due, c.Leased, c.Dead, heldNote(endpoints, name, time.Now()))
	}
	for _, reason := range slices.Sorted(maps.Keys(st.DeadByReason)) {
		fmt.Fprintf(w, "dead: %s\t%d\n", reason, st.DeadByReason[reason])
	}
	return w.Flush()
}

// heldNote says why an endpoint's mail waits although it is due: the operator
// paused it, or its breaker is open.
func heldNote(all []retry.EndpointState, name string, now time.Time) string {
	for _, e := range all {
		if e.Endpoint != name {
			continue
		}
		if e.Paused {
			return strings.TrimSuffix("paused: "+text.Terminal(e.Why), ": ")
		}
		if b, err := retry.UnmarshalBreaker(e.Breaker); err == nil && b.State == retry.BreakerOpen {
			return "breaker, probe in " + short(max(b.Until.Sub(now), 0))
		}
	}
	return ""
}

// export writes each message as it was received, our header lines before it.
func (q *queueCommand) export(ctx context.Context) error {
	for _, id := range q.args {
		path := filepath.Join(q.dir, filepath.Base(id)+".eml")
		if err := q.exportOne(ctx, id, path); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		fmt.Fprintln(q.s.Out, path)
	}
	return nil
}

// exportOne verifies the stored octets before it writes the first of them.
func (q *queueCommand) exportOne(ctx context.Context, id, path string) error {
	info, _, err := q.queue.Get(ctx, id)
	if err != nil {
		return err
	}
	m, err := archive.Open(ctx, q.queue, info.MessageID)
	if err != nil {
		return err
	}
	defer m.Close()
	raw, err := m.Raw().Open()
	if err != nil {
		return err
	}
	defer raw.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, raw)
	return errors.Join(err, out.Close())
}
