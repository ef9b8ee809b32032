package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/config"
	"postern/retry"
)

const queueHelp = `COMMAND [flags] [ID ...]

Looks into the retry queue of POSTERN_RETRY_STORE, beside a running gateway or
without one.

  list               what waits and what died
  show ID            one delivery with its attempts
  export ID ...      the messages as .eml files
  retry ID ...       what waits is due now
  replay ID ...      dead letters become due again
  delete ID ...      deliveries go for good
  pause ENDPOINT     nothing is delivered there until resume
  resume ENDPOINT    ends the pause, and lets an open breaker's probe go
  stats              counts by endpoint and reason

In place of ids, retry, replay and delete take list's filters, or --all.
`

// operatorQueue is what the commands ask of the queue.
type operatorQueue interface {
	retry.Operator
	retry.Endpoints
	retry.Messages
	Close() error
}

// queueCommand is what one word after "queue" does.
type queueCommand struct {
	s     *stdio
	name  string
	queue operatorQueue

	filter retry.Filter
	json   bool
	limit  int
	to     string        // replay: another endpoint
	spread time.Duration // retry: over how long
	dir    string        // export
	pause  time.Duration // pause: for how long
	why    string
	args   []string
}

// cmdQueue looks into the retry queue and changes it.
func cmdQueue(ctx context.Context, s *stdio, args []string) (err error) {
	do := map[string]func(*queueCommand, context.Context) error{
		"list": (*queueCommand).list, "show": (*queueCommand).show, "export": (*queueCommand).export, "retry": (*queueCommand).retry, "replay": (*queueCommand).replay,
		"delete": (*queueCommand).delete, "pause": (*queueCommand).pauseEndpoint, "resume": (*queueCommand).resume, "stats": (*queueCommand).stats,
	}
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run, ok := do[name]
	if !ok {
		newFlags(s, "queue", queueHelp).Usage()
		if name == "-h" || name == "-help" || name == "--help" || name == "help" {
			return flag.ErrHelp
		}
		return errUsage
	}
	q := &queueCommand{s: s, name: name}
	if err := q.parse(args); err != nil {
		return err
	}
	c, err := config.Read(s.Environ)
	if err != nil {
		return err
	}
	if err := q.known(c); err != nil {
		return err
	}
	if q.queue, err = openAdmin(ctx, c.Delivery); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.queue.Close()) }()
	return run(q, ctx)
}

// known holds the endpoint that replay --to or pause names to those of this
// environment: mail for a misspelt one would wait until it expires, and a
// misspelt pause leaves the endpoint running. An environment without endpoints
// can't tell.
func (q *queueCommand) known(c *config.Config) error {
	endpoints, named := c.Endpoints(), q.to
	if q.name == "pause" {
		named = q.args[0]
	}
	if named == "" || len(endpoints) == 0 {
		return nil
	}
	var names []string
	for _, w := range endpoints {
		names = append(names, w.Name)
	}
	if slices.Contains(names, named) {
		return nil
	}
	return fmt.Errorf("there is no endpoint %q: this environment has %s", named, strings.Join(names, ", "))
}

// openAdmin opens the configured store beside whoever runs on it.
func openAdmin(ctx context.Context, d config.Delivery) (retry.Queue, error) {
	if d.Store == config.StoreOff {
		return nil, errors.New("POSTERN_RETRY_STORE is off: there is no queue")
	}
	q, err := app.OpenBeside(ctx, d)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no queue: set POSTERN_RETRY_STORE to the store of your gateway (%w)", filepath.Clean(d.Store.Folder()), err)
	}
	return q, err
}

// The positional arguments that a command takes.
var queueArgs = map[string]struct {
	usage    string
	min, max int
}{
	"list":   {"[filters]", 0, 0},
	"show":   {"ID", 1, 1},
	"export": {"[--dir FOLDER] ID ...", 1, 1 << 20},
	"retry":  {"[--spread TIME] [filters|--all] [ID ...]", 0, 1 << 20},
	"replay": {"[--to ENDPOINT] [filters|--all] [ID ...]", 0, 1 << 20},
	"delete": {"[filters|--all] [ID ...]", 0, 1 << 20},
	"pause":  {"[--for TIME] [--why TEXT] ENDPOINT", 1, 1},
	"resume": {"ENDPOINT", 1, 1},
	"stats":  {"", 0, 0},
}

func (q *queueCommand) parse(args []string) error {
	takes := queueArgs[q.name]
	f := newFlags(q.s, "queue "+q.name, takes.usage)
	switch q.name {
	case "list", "retry", "replay", "delete":
		q.filters(f)
	case "pause":
		f.DurationVar(&q.pause, "for", 0, "how long (default: until resume)")
		f.StringVar(&q.why, "why", "paused by the operator", "reason, for the others")
	case "export":
		f.StringVar(&q.dir, "dir", ".", "`folder` for the .eml files")
	}
	if q.name == "retry" {
		f.DurationVar(&q.spread, "spread", 0, "not all at once but over so long")
	}
	if q.name == "replay" {
		f.StringVar(&q.to, "to", "", "deliver to this `endpoint` instead")
	}
	if q.name == "list" || q.name == "show" || q.name == "stats" {
		f.BoolVar(&q.json, "json", false, "JSON, one object a line")
	}
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if q.args = f.Args(); len(q.args) < takes.min || len(q.args) > takes.max {
		f.Usage()
		return errUsage
	}
	return nil
}

// filters are the flags that choose deliveries.
func (q *queueCommand) filters(f *flag.FlagSet) {
	f.StringVar(&q.filter.Endpoint, "endpoint", "", "only of this endpoint")
	f.StringVar(&q.filter.Recipient, "recipient", "", "only for this `address`")
	f.StringVar(&q.filter.Reason, "reason", "", "only dead letters for this reason")
	f.StringVar(&q.filter.MessageID, "message", "", "only of this message (postern-message-id)")
	f.Func("older", "only received longer ago than this `time`", func(v string) error {
		d, err := time.ParseDuration(v)
		q.filter.Before = time.Now().Add(-d)
		return err
	})
	if q.name != "replay" && q.name != "retry" {
		f.Func("state", "only `due`, leased or dead", func(v string) error {
			q.filter.State = retry.State(v)
			if v != string(retry.Due) && v != string(retry.Leased) && v != string(retry.Dead) {
				return errors.New("it is due, leased or dead")
			}
			return nil
		})
	}
	if q.name == "list" {
		f.IntVar(&q.limit, "limit", 100, "at most so many; 0 for all")
	} else {
		f.BoolVar(&q.filter.All, "all", false, "without ids and filters: everything")
	}
}
