package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/text"
	"postern/retry"
)

func (q *queueCommand) list(ctx context.Context) error {
	out := bufio.NewWriter(cli.Fit(q.s.Out))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	states, err := q.queue.Endpoints(ctx)
	if err != nil {
		return err
	}
	if !q.json {
		fmt.Fprintln(w, listHead)
	}
	shown := 0
	more, err := q.each(ctx, func(i retry.Info) (bool, error) {
		if shown++; q.limit > 0 && shown > q.limit {
			return false, nil
		}
		if q.json {
			return true, json.NewEncoder(out).Encode(i)
		}
		_, err := fmt.Fprintln(w, row(i, heldNote(states, i.Endpoint, time.Now()), time.Now()))
		return true, err
	})
	err = cmp.Or(err, w.Flush(), out.Flush()) // each repeats the one before
	if err == nil && more && !q.json {
		fmt.Fprintf(q.s.Err, "there are more than %d; filters or --limit 0 show them\n", q.limit)
	}
	return err
}

// pageSize is how many deliveries are asked for at once.
const pageSize = 500

// each gives every delivery that the filter selects to visit, until that has
// enough; more says that there was another.
func (q *queueCommand) each(ctx context.Context, visit func(retry.Info) (bool, error)) (more bool, err error) {
	for page := (retry.Page{Size: pageSize}); ; {
		infos, next, err := q.queue.List(ctx, q.filter, page)
		if err != nil {
			return false, err
		}
		for _, i := range infos {
			if on, err := visit(i); err != nil || !on {
				return true, err
			}
		}
		if next.After == "" {
			return false, nil
		}
		page = next
	}
}

// What a line of the list shows of an id and of a subject.
const (
	shortID    = 16 // msg_ and 48 bits, which no other delivery begins with
	rowSubject = 40
)

const listHead = "ID\tSTATE\tENDPOINT\tAGE\tTRIES\tNEXT\tLAST\tFROM\tSUBJECT"

// row is a line of the list; held says why nothing due goes out, "" it does.
func row(i retry.Info, held string, now time.Time) string {
	next := ""
	if i.State == retry.Due {
		next = dueIn(i, held, now)
	}
	from := i.From
	if from == "" {
		from = "<>"
	}
	cells := []string{text.Clip(i.ID, shortID), string(i.State), i.Endpoint, short(now.Sub(i.Received)), fmt.Sprint(i.Attempts), next, text.Shorten(last(i), rowSubject), from, text.Shorten(i.Subject, rowSubject)}
	for n, c := range cells {
		cells[n] = text.Terminal(strings.ReplaceAll(c, "\t", " "))
	}
	return strings.Join(cells, "\t")
}

// dueIn is when a delivery that waits is attempted.
func dueIn(i retry.Info, held string, now time.Time) string {
	if held != "" {
		return held
	}
	if wait := i.DueAt.Sub(now); wait > 0 {
		return "in " + short(wait)
	}
	return "now"
}

// last is what the last attempt came to, its cause first.
func last(i retry.Info) string {
	what := cause(i.LastError)
	if i.LastStatus != 0 {
		what = strings.TrimSpace(fmt.Sprintf("%d %s", i.LastStatus, http.StatusText(i.LastStatus)))
	}
	switch {
	case i.State != retry.Dead:
		return what
	case what == "":
		return i.Reason
	}
	return i.Reason + ": " + what
}

// cause is the end of an error's chain, which says what happened; what comes
// before only says to whom.
func cause(err string) string {
	if i := strings.LastIndex(err, ": "); i >= 0 {
		return err[i+2:]
	}
	return err
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
