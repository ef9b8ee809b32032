// Command postern is an SMTP-to-HTTP webhook gateway: "postern serve" runs it,
// the other subcommands try it, feed it and look into it.
//
// It exits 0 when it did what was asked, 1 when that failed, and 2 when the
// command line or the configuration is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"postern/cmd/internal/config"
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

// errUsage is returned when the command line is wrong and the user was told.
var errUsage = errors.New("usage")

// run is main without the process: it picks the subcommand and turns its
// error into an exit code.
func run(ctx context.Context, s *stdio, args []string) int {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "help", "-h", "-help", "--help":
		usage(s.Out)
		return 0
	}
	for _, c := range commands() {
		if c.name == name {
			return exitCode(s, c.name, c.run(ctx, s, args))
		}
	}
	fmt.Fprintf(s.Err, "postern: there is no command %q\n\n", name)
	usage(s.Err)
	return 2
}

func exitCode(s *stdio, name string, err error) int {
	var config *config.Error
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.As(err, &config):
		fmt.Fprintf(s.Err, "postern %s: %v\n", name, err)
		return 2
	}
	fmt.Fprintf(s.Err, "postern %s: %v\n", name, err)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Postern receives mail by SMTP and POSTs it to webhooks.\n\nusage: postern [command] [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nWithout a command it serves. \"postern COMMAND --help\" tells a command's flags.\n")
}

// newFlags returns a flag set that reports its errors to the user.
func newFlags(s *stdio, name, synopsis string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(s.Err)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: postern %s %s\n", name, synopsis)
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags parses args; the user has been told of an error.
func parseFlags(fs *flag.FlagSet, args []string) error {
	err := fs.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return errUsage
}
