package main

import (
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
	f := newFlags(s, "trace", traceHelp)
	asJSON := f.Bool("json", false, "JSON, one record a line")
	limit := f.Int("limit", 20, "list at most so many")
	state := f.String("state", "", "only `accepted`, refused, deferred, auth-failed, aborted, failed, waiting or dead")
	since := f.Duration("since", 0, "only of the last so much `time`")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	q := history.Query{Words: strings.Join(f.Args(), " "), State: history.State(*state), Limit: *limit}
	if *since > 0 {
		q.Since = time.Now().Add(-*since)
	}
	if q.Words == "" && q.State == "" && *since == 0 {
		f.Usage()
		return errUsage
	}
	h, err := openHistory(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	found, more, err := look(ctx, h, q)
	if err != nil {
		return err
	}
	switch {
	case *asJSON:
		return writeJSON(s.Out, found)
	case len(found) == 0:
		return errors.New("nothing is known of it; words match from their beginning, and history is kept for POSTERN_HISTORY")
	case len(found) == 1 && !more:
		printRecord(s.Out, found[0])
		return nil
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
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tWHEN\tRESULT\tFROM\tTO\tSUBJECT\tREPLY")
	for _, r := range found {
		to := ""
		if len(r.To) > 0 {
			to = r.To[0].Address
		}
		if len(r.To) > 1 {
			to += fmt.Sprintf(" +%d", len(r.To)-1)
		}
		cells := []string{r.ID, r.At.Format(time.RFC3339), r.Became(), orNull(r.From), to, text.Shorten(r.Subject, 40), text.Shorten(r.Reply, 60)}
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
		if value := text.Terminal(fmt.Sprintf(format, args...)); value != "" {
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
	line("client", "%s, helo %s, %s", client, r.Client.Hello, orElse(r.TLS, "in the clear"))
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
	fmt.Fprintln(w)
	for _, e := range r.Story() {
		step(line, &r, e)
	}
	if r.Waiting > 0 || r.Dead > 0 {
		fmt.Fprintf(w, "\nwhat waits: postern queue list --message %s\n", text.Terminal(r.ID))
	}
}

// step is one event of the story.
func step(line func(name, format string, args ...any), r *history.Record, e history.Event) {
	at, day, a := e.At.Format("15:04:05"), e.At.Format(time.DateOnly), e.Attempt
	switch {
	case a == nil:
		line(at, "%s  SMTP %s (after %d ms)", day, r.Reply, r.TookMS)
		return
	case a.Settles == history.QueuedAgain:
		line(at, "%s  %s sent again by %s", day, a.Endpoint, a.By)
		return
	}
	status := ""
	if a.Status != 0 {
		status = fmt.Sprintf(" HTTP %d", a.Status)
	}
	line(at, "%s  %s attempt %d: %s%s in %d ms  %s", day, a.Endpoint, a.N, a.Reason, status, a.TookMS, a.Error)
	for answer := range strings.Lines(a.Answer) {
		line("", "  | %s", strings.TrimRight(answer, "\r\n"))
	}
}

func orNull(s string) string { return orElse(s, "<>") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

const forgetHelp = `[--yes] ADDRESS

Erases a person from the history: every record that names the address as sender,
recipient or account. It says how many there are; --yes erases them.
`

// cmdForget erases a person from the history.
func cmdForget(ctx context.Context, s *stdio, args []string) (err error) {
	f := newFlags(s, "forget", forgetHelp)
	sure := f.Bool("yes", false, "erase them")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if f.NArg() != 1 || !strings.Contains(f.Arg(0), "@") {
		f.Usage()
		return errUsage
	}
	h, err := openHistory(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if !*sure {
		found, next, err := h.Find(ctx, history.Query{Address: f.Arg(0), Limit: history.MaxLimit})
		if err != nil {
			return err
		}
		n := 0
		for i := range found {
			if found[i].Names(f.Arg(0)) {
				n++
			}
		}
		more := ""
		if next != "" {
			more = "at least "
		}
		fmt.Fprintf(s.Out, "%s%d records name %s; postern forget --yes %s erases them\n", more, n, text.Terminal(f.Arg(0)), text.Terminal(f.Arg(0)))
		return nil
	}
	n, err := h.Forget(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%d records erased; what still waits in the queue is its own: postern queue list --recipient %s\n", n, text.Terminal(f.Arg(0)))
	return nil
}

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
