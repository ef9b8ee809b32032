package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/gateway/history"
	"postern/gateway/text"
)

const traceHelp = `[flags] WORDS ...

Tells what became of a message: by its id or the beginning of it, a webhook-id, a
Message-ID, an address, or words of its subject. Where several fit, they are
listed, newest first. It reads the history of POSTERN_RETRY_STORE, beside a running
gateway or without one.
`

// cmdTrace tells a message's story.
func cmdTrace(ctx context.Context, s *stdio, args []string) (err error) {
	f := cli.NewFlags("trace", traceHelp)
	asJSON := f.Bool("json", false, "JSON, one record a line")
	limit := f.Int("limit", 20, "list at most so many")
	q := history.Query{}
	var states []string
	for _, one := range history.States() {
		states = append(states, string(one))
	}
	f.Word((*string)(&q.State), "state", "only in this `state`: "+strings.Join(states, ", "), states...)
	var since time.Duration
	f.Duration(&since, "since", 0, "only of the last so much `time`")
	if err := f.Parse(args, 0, cli.Any); err != nil {
		return err
	}
	if *limit < 1 || *limit > history.MaxLimit {
		return cli.Misuse("--limit is 1 to %d", history.MaxLimit)
	}
	q.Words, q.Limit = strings.TrimSpace(strings.Join(f.Args(), " ")), *limit
	if since > 0 {
		q.Since = time.Now().Add(-since)
	}
	if q.Words == "" && q.State == "" && since == 0 {
		return f.Misuse("say what to look for: an id, an address, words of a subject, or --state or --since")
	}
	h, err := openHistory(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	stop := cli.Watch(s.Err, func() string { return "looking …" })
	found, more, err := look(ctx, h, q)
	stop()
	if err != nil {
		return err
	}
	switch {
	case *asJSON:
		return writeJSON(s.Out, found)
	case len(found) == 0:
		return errors.New("nothing is known of it; words match from their beginning, and history is kept for POSTERN_HISTORY")
	case len(found) == 1 && !more:
		out := bufio.NewWriter(s.Out)
		printRecord(out, found[0])
		return out.Flush()
	}
	return list(s, found, more)
}

// look finds records; a single one comes with its attempts.
func look(ctx context.Context, h history.Store, q history.Query) (found []history.Record, more bool, err error) {
	one, err := h.Get(ctx, q.Words)
	switch {
	case err == nil && q.State == "" && q.Since.IsZero():
		return []history.Record{one}, false, nil
	case err != nil && !errors.Is(err, history.ErrNotFound) && !errors.Is(err, history.ErrAmbiguous):
		return nil, false, err
	}
	found, next, err := h.Find(ctx, q)
	if err == nil && len(found) == 1 && next == "" {
		found[0], err = h.Get(ctx, found[0].ID)
	}
	return found, next != "", err
}

func writeJSON(w io.Writer, records []history.Record) error {
	enc := json.NewEncoder(w)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// list is a line a record.
func list(s *stdio, found []history.Record, more bool) error {
	w := tabwriter.NewWriter(cli.Fit(s.Out), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tWHEN\tRESULT\tFROM\tTO\tSUBJECT\tREPLY")
	for _, r := range found {
		to := ""
		if len(r.To) > 0 {
			to = r.To[0].Address
		}
		if len(r.To) > 1 {
			to += fmt.Sprintf(" +%d", len(r.To)-1)
		}
		cells := []string{text.Clip(r.ID, shortID), r.At.Format("01-02 15:04:05"), r.Became(), orNull(r.From), to, text.Shorten(r.Subject, 40), text.Shorten(r.Reply, 60)}
		for i, c := range cells {
			cells[i] = text.Terminal(strings.ReplaceAll(c, "\t", " "))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintln(s.Err, "there are more; add words, --since, or a larger --limit")
	}
	return nil
}

// printRecord is a message's story, in order.
func printRecord(w io.Writer, r history.Record) {
	line := func(name, format string, args ...any) {
		if value := strings.TrimRight(text.Terminal(fmt.Sprintf(format, args...)), " "); value != "" {
			fmt.Fprintf(w, "%-12s %s\n", name, value)
		}
	}
	line("message", "%s", r.ID)
	line("became", "%s", r.Became())
	line("message-id", "%s", r.MessageID)
	line("subject", "%s", r.Subject)
	line("from", "%s", orNull(r.From))
	line("author", "%s", strings.Join(r.Author, ", "))
	for _, to := range r.To {
		line("to", "%s  %s", to.Address, to.Reply)
	}
	client := r.Client.IP
	if client == "" {
		client = "a unix socket"
	}
	line("client", "%s, helo %s, %s", client, r.Client.Hello, cmp.Or(r.TLS, "in the clear"))
	line("signed in", "%s", r.Auth)
	if r.Sender != nil {
		line("sender", "verified %v: %s", r.Sender.Verified, r.Sender.Reason)
	}
	if r.Size > 0 {
		line("size", "%d octets", r.Size)
	}
	if r.Repeats != "" {
		line("repeats", "%s, whose deliveries were in the queue already: postern trace %s", r.Repeats, r.Repeats)
	}
	day := ""
	for _, e := range r.Story() {
		if on := e.At.Format(time.DateOnly); on != day {
			day = on
			fmt.Fprintf(w, "\n%s\n", day)
		}
		step(line, &r, e)
	}
	if r.Waiting > 0 || r.Dead > 0 {
		fmt.Fprintf(w, "\nwhat waits: postern queue list --message %s\n", text.Terminal(r.ID))
	}
}

// step is one event of the story.
func step(line func(name, format string, args ...any), r *history.Record, e history.Event) {
	at, a := e.At.Format("15:04:05"), e.Attempt
	switch {
	case a == nil:
		line(at, "SMTP %s (after %d ms)", r.Reply, r.TookMS)
		return
	case !a.Settles.Posted():
		line(at, "%s", strings.TrimSpace(a.Endpoint+" "+a.Happened()))
		return
	}
	status := ""
	if a.Status != 0 {
		status = fmt.Sprintf(" HTTP %d", a.Status)
	}
	line(at, "%s attempt %d: %s%s in %d ms", a.Endpoint, a.N, a.Reason, status, a.TookMS)
	line("", "  %s", a.Error)
	for answer := range strings.Lines(a.Answer) {
		line("", "  | %s", strings.TrimRight(answer, "\r\n"))
	}
}

func orNull(s string) string { return cmp.Or(s, "<>") }

// openHistory opens the configured store's history.
func openHistory(ctx context.Context, s *stdio) (history.Store, error) {
	c, err := config.Read(s.Environ)
	if err != nil {
		return nil, err
	}
	if c.Delivery.Store == config.StoreOff {
		return nil, errors.New("POSTERN_RETRY_STORE is off, so history is in the gateway's memory alone: ask /api/v1/messages or the page")
	}
	h, err := app.HistoryBeside(ctx, c.Delivery)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no history: set POSTERN_RETRY_STORE to the store of your gateway (%w)", filepath.Clean(c.Delivery.Store.Folder()), err)
	}
	return h, err
}
