package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/webhook"
)

// cmdExplain prints what a webhook's answer means for the mail.
func cmdExplain(_ context.Context, s *stdio, args []string) error {
	fs := cli.NewFlags("explain", "[--reject 404,422] [STATUS|WORD ...]\n\nSays what a webhook's answer means for the mail; without one, for all that differ.")
	reject := fs.String("reject", "", "the endpoint's REJECT `statuses`")
	if err := fs.Parse(args, 0, cli.Any); err != nil {
		return err
	}
	var words config.List
	if err := words.UnmarshalText([]byte(*reject)); err != nil {
		return err
	}
	rejects, err := webhook.ParseStatuses(words)
	if err != nil {
		return cli.Misuse("--reject: %v", err)
	}
	if fs.NArg() == 0 {
		return explainAll(s.Out)
	}
	for _, answer := range fs.Args() {
		row, err := webhook.Explain(answer, rejects)
		if err != nil {
			return cli.Misuse("%v", err)
		}
		if err := explainRow(s.Out, row); err != nil {
			return err
		}
	}
	return nil
}

func explainRow(w io.Writer, r webhook.Row) error {
	_, err := fmt.Fprintf(w, "%s (%s)\n  sender is waiting, queue on  %s\n  queue off, or DEFER=false    %s\n  already queued               %s\n", r.Answer, r.Reason, r.Waiting, r.NoQueue, r.Queued)
	if err == nil && r.Note != "" {
		_, err = fmt.Fprintf(w, "  %s\n", r.Note)
	}
	return err
}

// starred is a cell that fits a screen; the star stands for what comes before.
func starred(cell string) string {
	if rest, cut := strings.CutPrefix(cell, "once more by url, else "); cut {
		return rest + " *"
	}
	return cell
}

func explainAll(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "answer\tsender waits\tqueue off\talready queued")
	for _, r := range webhook.Table() {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Answer, starred(r.Waiting), starred(r.NoQueue), starred(r.Queued))
	}
	fmt.Fprintln(t, "* once more before, with content by url, where POSTERN_PUBLIC_URL is set")
	return t.Flush()
}
