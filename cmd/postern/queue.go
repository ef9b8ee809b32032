package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/nearest"
	"postern/retry"
)

const queueHelp = `Looks into the retry queue of POSTERN_RETRY_STORE, beside a running gateway or
without one.

`

const queueMore = `
An ID may be cut short as long as it fits one delivery alone. In place of ids,
retry, replay and delete take list's filters, or --all; --dry-run says what they
would do. "postern help queue COMMAND" tells a command's flags.
`

// operatorQueue is what the commands ask of the queue.
type operatorQueue interface {
	retry.Intake
	retry.Operator
	retry.Endpoints
	retry.Messages
	retry.Meta
	Close() error
}

// queueVerb is a word after "queue".
type queueVerb struct {
	name    string
	form    string // what may follow
	summary string
	about   string // more of it, for its help
	least   int    // arguments
	most    int
	run     func(*queueCommand, context.Context) error
}

func queueVerbs() []queueVerb {
	type q = queueCommand
	return []queueVerb{
		{"list", "[filters]", "what waits and what died", "The oldest comes first. An id is shown as far as other commands need it;\n--json has it whole.", 0, 0, (*q).list},
		{"show", "[--payload|--curl] ID", "one delivery with its attempts, or the POST that comes next",
			"Tells of one delivery and its attempts. --payload renders its next POST as the\ngateway would send it with this environment: the body goes to the output, the\nheader to the error output. --curl writes the body to a file and prints the\ncommand that would POST it. Secrets are hidden in both. What was delivered and is\nkept (POSTERN_KEEP) can be shown so, too, by its webhook-id or its message's id.", 1, 1, (*q).show},
		{"export", "[--dir FOLDER] ID ...", "the messages as .eml files", "Writes each message as it was received, our header lines before it.", 1, cli.Any, (*q).export},
		{"retry", "[flags] [ID ...]", "what waits is due now", "What waits is due now, or within --spread, evenly.", 0, cli.Any, (*q).retry},
		{"replay", "[flags] [ID ...]", "dead letters become due again", "Dead letters become due again, each with a new life as long as its first.", 0, cli.Any, (*q).replay},
		{"again", "[flags] MESSAGE", "a stored message is sent once more, a delivered one too",
			"Sends a message again that the queue still has, or that was delivered and is kept\n(POSTERN_KEEP): to where its recipients' mail goes today, or to --to. MESSAGE is\na postern-message-id or the beginning of one; postern trace finds it.", 1, 1, (*q).again},
		{"delete", "[flags] [ID ...]", "deliveries go for good", "Deletes deliveries, but those that are attempted right now.", 0, cli.Any, (*q).delete},
		{"pause", "[--for TIME] [--why TEXT] ENDPOINT", "nothing is delivered there until resume", "Mail for the endpoint waits, fresh mail too, until resume or for so long.", 1, 1, (*q).pauseEndpoint},
		{"resume", "ENDPOINT", "ends the pause, and lets an open breaker's probe go", "", 1, 1, (*q).resume},
		{"stats", "[--json]", "counts by endpoint and reason", "", 0, 0, (*q).stats},
	}
}

// queueCommand is what one word after "queue" does.
type queueCommand struct {
	s     *stdio
	verb  queueVerb
	cfg   *config.Config
	queue operatorQueue

	filter retry.Filter
	json   bool
	limit  int
	dryRun bool
	to     string        // replay, again: another endpoint
	sameID bool          // again: with the webhook-ids of the first time
	spread time.Duration // retry: over how long
	dir    string        // export
	pause  time.Duration // pause: for how long
	why    string
	args   []string

	payload, curl bool   // show
	body          string // show: file for curl's body
}

// cmdQueue looks into the retry queue and changes it.
func cmdQueue(ctx context.Context, s *stdio, args []string) (err error) {
	if len(args) == 0 {
		return cli.Misuse("say what is to be done, such as postern queue list (postern help queue tells all)")
	}
	name, args := args[0], args[1:]
	if name == "help" && len(args) > 0 {
		name, args = args[0], []string{"--help"}
	}
	var names []string
	for _, v := range queueVerbs() {
		if v.name == name {
			return runQueue(ctx, s, v, args)
		}
		names = append(names, v.name)
	}
	switch name {
	case "-h", "-help", "--help", "help":
		return cli.Help{Text: queueUsage()}
	}
	return cli.Misuse("there is no command %q%s (postern help queue lists them)", name, nearest.Meant("", name, names))
}

func queueUsage() string {
	var rows [][2]string
	for _, v := range queueVerbs() {
		rows = append(rows, [2]string{strings.TrimSpace(v.name + " " + argumentsOf(v)), v.summary})
	}
	return "usage: postern queue COMMAND [flags] [ID ...]\n\n" + queueHelp + cli.Columns(rows) + queueMore
}

// argumentsOf is a command's form without its flags.
func argumentsOf(v queueVerb) string {
	words := strings.Fields(v.form)
	for len(words) > 0 && strings.HasPrefix(words[0], "[") && words[0] != "[ID" {
		for !strings.HasSuffix(words[0], "]") {
			words = words[1:]
		}
		words = words[1:]
	}
	return strings.Join(words, " ")
}

func runQueue(ctx context.Context, s *stdio, v queueVerb, args []string) (err error) {
	q := &queueCommand{s: s, verb: v}
	if err := q.parse(args); err != nil {
		return err
	}
	if q.cfg, err = config.Read(s.Environ); err != nil {
		return err
	}
	if q.queue, err = openAdmin(ctx, q.cfg.Delivery); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.queue.Close()) }()
	if err := q.known(ctx); err != nil {
		return err
	}
	return v.run(q, ctx)
}

// known holds the endpoint that is named to those of this environment and of the
// queue: mail replayed to a misspelt one would wait until it expires, and a
// misspelt pause leaves the endpoint running.
func (q *queueCommand) known(ctx context.Context) error {
	named, stored := q.filter.Endpoint, true
	switch {
	case q.verb.name == "pause", q.verb.name == "resume":
		named = q.args[0]
	case q.to != "":
		named, stored = q.to, false
	}
	if named == "" {
		return nil
	}
	var names []string
	for _, w := range q.cfg.Endpoints() {
		names = append(names, w.Name)
	}
	if len(names) == 0 || stored {
		more, err := q.storedEndpoints(ctx)
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	if slices.Contains(names, named) {
		return nil
	}
	if had, err := app.HadEndpoint(ctx, q.queue, named); err != nil || had && (stored || len(q.cfg.Endpoints()) == 0) {
		return err
	}
	slices.Sort(names)
	all := strings.Join(slices.Compact(names), ", ")
	if all == "" {
		all = "none: set the POSTERN_WEBHOOK_… variables of your gateway"
	}
	return cli.Misuse("there is no endpoint %q%s (this environment and the queue have %s)", named, nearest.Meant("", named, names), all)
}

// storedEndpoints are those that the queue has mail for or knows the state of.
func (q *queueCommand) storedEndpoints(ctx context.Context) ([]string, error) {
	st, err := q.queue.Stats(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range st.Endpoints {
		names = append(names, name)
	}
	states, err := q.queue.Endpoints(ctx)
	for _, e := range states {
		names = append(names, e.Endpoint)
	}
	return names, err
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
