// Package cli is what the commands share of a command line: flags anywhere
// between the arguments, help that fits a screen, mistakes that are told with
// the nearest thing that would have been right, and a sign of life from what
// takes long.
//
// A Flags prints nothing: who asked for help gets a Help, a mistake is a
// UsageError. Both are errors for the one who runs the command to show.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/cmd/internal/nearest"
)

// Help is what --help asks for; it ends a command without being its failure.
type Help struct{ Text string }

func (h Help) Error() string { return h.Text }

// UsageError is a mistake in the command line.
type UsageError struct {
	Why      string
	Command  string // whose form is wrong, "" where a value is
	Synopsis string // what may follow it
}

func (e *UsageError) Error() string {
	if e.Command == "" {
		return e.Why
	}
	return fmt.Sprintf("%s\nusage: %s\n\"postern %s --help\" tells more", e.Why, strings.TrimSpace("postern "+e.Command+" "+e.Synopsis), e.Command)
}

// Misuse is a UsageError about a value, whose form was right.
func Misuse(format string, args ...any) error {
	return &UsageError{Why: fmt.Sprintf(format, args...)}
}

// Flags are a command's flags and arguments.
type Flags struct {
	*flag.FlagSet
	synopsis string
	about    string
}

// NewFlags returns a command's flags. The first line of help is what may follow
// the command's name, the rest says what it does.
func NewFlags(name, help string) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	synopsis, about, _ := strings.Cut(help, "\n")
	f.synopsis, f.about = strings.TrimSpace(synopsis), strings.Trim(about, "\n")
	f.SetOutput(io.Discard)
	return f
}

// Any is as many arguments as one likes.
const Any = 1 << 30

// Parse reads the command line: flags, and from least to most arguments, in any
// order; what follows "--" is arguments. Args has the arguments then.
func (f *Flags) Parse(args []string, least, most int) error {
	var words []string
	for {
		if err := f.FlagSet.Parse(args); err != nil {
			return f.failed(err)
		}
		rest := f.Args()
		if len(rest) == 0 {
			break
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			words = append(words, rest...)
			break
		}
		words, args = append(words, rest[0]), rest[1:]
	}
	if err := f.FlagSet.Parse(append([]string{"--"}, words...)); err != nil {
		return err
	}
	switch {
	case len(words) < least:
		return f.Misuse("something is missing")
	case len(words) > most && most == 0:
		return f.Misuse("it takes no arguments, and there is %q", words[0])
	case len(words) > most:
		return f.Misuse("there is %q too much", words[most])
	}
	return nil
}

// Misuse is a UsageError that shows the command's form.
func (f *Flags) Misuse(format string, args ...any) error {
	return &UsageError{Why: fmt.Sprintf(format, args...), Synopsis: f.synopsis, Command: f.Name()}
}

var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	badValue    = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^ :]+): (?s:(.*))$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
)

// failed says in our words what the flag package complains of.
func (f *Flags) failed(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return Help{f.help()}
	}
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		return f.Misuse("there is no flag --%s%s", m[1], nearest.Meant("--", m[1], f.names()))
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		why := ": " + m[3]
		if m[3] == "parse error" {
			why = " can't be read: it takes " + f.takes(m[2])
		}
		return Misuse("--%s %s%s", m[2], m[1], why)
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return f.Misuse("--%s needs a value", m[1])
	}
	return f.Misuse("%s", text)
}

// takes says what a flag's value must be.
func (f *Flags) takes(name string) string {
	if g, ok := f.Lookup(name).Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case int:
			return "a whole number"
		case bool:
			return "true or false"
		}
	}
	return "a value of another kind"
}

func (f *Flags) names() []string {
	names := []string{"help"}
	f.VisitAll(func(one *flag.Flag) { names = append(names, one.Name) })
	return names
}

// Duration defines a flag that takes a time, which is never below zero.
func (f *Flags) Duration(p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	if value != 0 {
		usage += fmt.Sprintf(" (default %s)", plain(value))
	}
	f.Func(name, usage, func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return errors.New("it is a time such as 500ms, 30s, 5m or 72h")
		}
		*p = d
		return nil
	})
}

// plain writes 1m for 1m0s.
func plain(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"0s", "0m"} {
		if strings.HasSuffix(s, "m"+zero) || strings.HasSuffix(s, "h"+zero) {
			s = strings.TrimSuffix(s, zero)
		}
	}
	return s
}

// Word defines a flag that takes one of some words.
func (f *Flags) Word(p *string, name, usage string, words ...string) {
	f.Func(name, usage, func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("it is one of %s", strings.Join(words, ", "))
		}
		*p = s
		return nil
	})
}
