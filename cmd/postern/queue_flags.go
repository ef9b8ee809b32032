package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/nearest"
	"postern/retry"
	"postern/webhook"
)

func (q *queueCommand) parse(args []string) error {
	v := q.verb
	about := v.about
	if about == "" {
		about = v.summary
	}
	f := cli.NewFlags("queue "+v.name, v.form+"\n\n"+about)
	switch v.name {
	case "list":
		q.filters(f)
		f.IntVar(&q.limit, "limit", 100, "at most so many; 0 for all")
	case "retry", "replay", "delete":
		q.filters(f)
		f.BoolVar(&q.filter.All, "all", false, "without ids and filters: everything")
		f.BoolVar(&q.dryRun, "dry-run", false, "say what would be done, and do nothing")
	case "again":
		f.StringVar(&q.to, "to", "", "deliver to this `endpoint` instead")
		f.StringVar(&q.filter.Recipient, "recipient", "", "only for this `address`")
		f.BoolVar(&q.sameID, "same-id", false, "with the webhook-id of the first time: an app that has it ignores it")
	case "show":
		f.BoolVar(&q.payload, "payload", false, "print the next POST")
		f.BoolVar(&q.curl, "curl", false, "print it as a command, its body in a file")
		f.StringVar(&q.body, "body", "", "`file` for --curl's body (default: named after the id, here)")
	case "pause":
		f.Duration(&q.pause, "for", 0, "`time` that it lasts (default: until resume)")
		f.StringVar(&q.why, "why", "paused by the operator", "reason, for the others: a `text`")
	case "export":
		f.StringVar(&q.dir, "dir", ".", "`folder` for the .eml files")
	}
	switch v.name {
	case "retry":
		f.Duration(&q.spread, "spread", 0, "not all at once but over so much `time`")
	case "replay":
		f.StringVar(&q.to, "to", "", "deliver to this `endpoint` instead")
	case "list", "show", "stats":
		f.BoolVar(&q.json, "json", false, "JSON, one object a line")
	}
	if err := f.Parse(args, v.least, v.most); err != nil {
		return err
	}
	if err := filled(f); err != nil {
		return err
	}
	q.args = f.Args()
	return q.fits()
}

// filled refuses a choice that says nothing, as --endpoint "$UNSET" does: it would
// be all of them.
func filled(f *cli.Flags) (err error) {
	f.Visit(func(one *flag.Flag) {
		if slices.Contains([]string{"endpoint", "recipient", "message", "to"}, one.Name) && one.Value.String() == "" {
			err = cli.Misuse("--%s is empty: leave it out, or say which", one.Name)
		}
	})
	return err
}

// filters are the flags that choose deliveries.
func (q *queueCommand) filters(f *cli.Flags) {
	f.StringVar(&q.filter.Endpoint, "endpoint", "", "only of this `endpoint`")
	f.StringVar(&q.filter.Recipient, "recipient", "", "only for this `address`")
	f.StringVar(&q.filter.MessageID, "message", "", "only of this message, by its postern-message-id: an `id`")
	f.Func("reason", "only dead letters for this `reason`, such as rejected or expired", q.setReason)
	f.Func("since", "only received within the last so much `time`", func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New("it is a time such as 30m or 72h")
		}
		q.filter.Since = time.Now().Add(-d)
		return nil
	})
	f.Func("older", "only received longer ago than this `time`", func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("it is a time such as 30m or 72h")
		}
		q.filter.Before = time.Now().Add(-d)
		return nil
	})
	f.Word((*string)(&q.filter.State), "state", "only in this `state`: due, leased or dead", string(retry.Due), string(retry.Leased), string(retry.Dead))
}

// setReason takes a reason that a dead letter can have.
func (q *queueCommand) setReason(v string) error {
	known := []string{retry.ReasonExpired, retry.ReasonCorrupt}
	for _, r := range webhook.Reasons() {
		known = append(known, string(r))
	}
	if !slices.Contains(known, v) {
		return errors.New("no dead letter has that reason" + nearest.Meant("", v, known) + " (postern queue stats lists those that some have)")
	}
	q.filter.Reason = v
	return nil
}

// fits refuses what could only find nothing.
func (q *queueCommand) fits() error {
	state := q.filter.State
	if q.filter.Reason != "" && (state == "" || state == retry.Dead) {
		state = retry.Dead
	} else if q.filter.Reason != "" {
		return cli.Misuse("--reason is a dead letter's, and --state asks for what is %s", state)
	}
	switch {
	case q.payload && q.curl, q.json && (q.payload || q.curl):
		return cli.Misuse("--payload, --curl and --json exclude each other")
	case q.limit < 0:
		return cli.Misuse("--limit is 0 or more")
	case q.verb.name == "retry" && state == retry.Dead:
		return cli.Misuse("retry is for what waits; postern queue replay is for dead letters")
	case q.verb.name == "replay" && (state == retry.Due || state == retry.Leased):
		return cli.Misuse("replay is for dead letters; postern queue retry is for what waits")
	case q.verb.name != "list" && state == retry.Leased:
		return cli.Misuse("what is leased is being attempted now; nothing can be done to it until that ends")
	case len(q.args) == 0 && q.changes() && q.plain():
		return cli.Misuse("nothing was chosen: name ids, a filter such as --endpoint or --reason, or --all")
	case len(q.args) > 0 && q.changes() && !q.plain():
		return cli.Misuse("name ids or filters, not both")
	}
	return nil
}

// changes reports whether the command takes ids or filters.
func (q *queueCommand) changes() bool {
	return q.verb.name == "retry" || q.verb.name == "replay" || q.verb.name == "delete"
}

// chosen is the filter as flags, for an audit line.
func (q *queueCommand) chosen() string {
	f := q.filter
	words := slices.Clone(f.IDs)
	for _, w := range [][2]string{{"message", f.MessageID}, {"state", string(f.State)}, {"endpoint", f.Endpoint}, {"recipient", f.Recipient}, {"reason", f.Reason}} {
		if w[1] != "" {
			words = append(words, "--"+w[0]+" "+w[1])
		}
	}
	if !f.Before.IsZero() {
		words = append(words, "received before "+f.Before.UTC().Format(time.RFC3339))
	}
	if !f.Since.IsZero() {
		words = append(words, "received since "+f.Since.UTC().Format(time.RFC3339))
	}
	if f.All {
		words = append(words, "--all")
	}
	return strings.Join(words, " ")
}

// plain reports whether no filter was given.
func (q *queueCommand) plain() bool {
	f := q.filter
	return !f.All && f.MessageID == "" && f.State == "" && f.Endpoint == "" && f.Recipient == "" && f.Reason == "" && f.Before.IsZero() && f.Since.IsZero()
}
