// Command postern is an SMTP-to-HTTP webhook gateway: "postern serve" runs it,
// the other subcommands try it, feed it and look into it.
//
// It exits 0 when it did what was asked, 1 when that failed, and 2 when the
// command line or the configuration is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"postern/cmd/internal/cli"
	"postern/cmd/internal/config"
	"postern/cmd/internal/nearest"
	"postern/gateway/text"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}, os.Args[1:])
	stop()
	os.Exit(code)
}

// stdio is what a command may touch of the process around it.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string
}

// command is one subcommand.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, s *stdio, args []string) error
}

// run is main without the process: it picks the subcommand and turns its
// error into an exit code.
func run(ctx context.Context, s *stdio, args []string) int {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "-h", "-help", "--help":
		return exitCode(s, "", help(args))
	case "help":
		if len(args) == 0 {
			return exitCode(s, "", help(nil))
		}
		name, args = args[0], append(args[1:], "--help")
	case "-version", "--version":
		name = "version"
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return exitCode(s, c.name, c.run(ctx, s, args))
		}
		names = append(names, c.name)
	}
	return exitCode(s, "", cli.Misuse("there is no command %q%s (postern help lists them)", name, nearest.Meant("", name, names)))
}

// exitCode tells of a command's error and says what the process ends with.
func exitCode(s *stdio, name string, err error) int {
	if err == nil {
		return 0
	}
	var asked cli.Help
	if errors.As(err, &asked) {
		_, _ = io.WriteString(s.Out, asked.Text)
		return 0
	}
	fmt.Fprintf(s.Err, "%s: %s\n", strings.TrimSpace("postern "+name), text.TerminalLines(err.Error())) // a server's words may be in it
	if errors.As(err, new(*cli.UsageError)) || errors.As(err, new(*config.Error)) {
		return 2
	}
	return 1
}

// help lists the commands.
func help(args []string) error {
	if len(args) > 0 {
		return cli.Misuse("there is %q too much", args[0])
	}
	var rows [][2]string
	for _, c := range commands() {
		rows = append(rows, [2]string{c.name, c.summary})
	}
	return cli.Help{Text: "Postern receives mail by SMTP and POSTs it to webhooks.\n\nusage: postern [COMMAND] [flags]\n\n" + cli.Columns(rows) +
		"\nWithout a command it serves, with settings from the environment: postern config\nlists them. \"postern help COMMAND\" tells a command's flags.\n"}
}
