package cli

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample are flags of each kind.
func sample() (f *Flags, n *int, wait *time.Duration, word *string) {
	f = NewFlags("try", "[flags] NAME [MORE]\n\nTries it.\n")
	n, wait, word = f.Int("limit", 20, "at most so many"), new(time.Duration), new(string)
	f.Duration(wait, "wait", time.Minute, "`time` before")
	f.Word(word, "state", "only `due` or dead", "due", "dead")
	f.Bool("json", false, "JSON, one object a line, which is what a program reads that comes after this one in a pipe")
	return
}

// Flags may stand anywhere before "--", and the arguments are counted.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // the arguments, or the error's begin
	}{
		{"a", "a"},
		{"a b --json --limit 3", "a b"},
		{"--limit=3 a --json b", "a b"},
		{"--limit 3 -- a --json", "a --json"},
		{"a -- -b", "a -b"},
		{"-- a", "a"},
		{"a -", "a -"},
		{"", "error: something is missing\nusage: postern try [flags] NAME [MORE]\n\"postern try --help\" tells more"},
		{"a b c", `error: there is "c" too much`},
		{"a --jsn", "error: there is no flag --jsn; did you mean --json?\nusage:"},
		{"a --frobnicate", "error: there is no flag --frobnicate\nusage:"},
		{"a --hlep", "error: there is no flag --hlep; did you mean --help?"},
		{"a --limit x", `error: --limit "x" can't be read: it takes a whole number`},
		{"a --json=maybe", `error: --json "maybe" can't be read: it takes true or false`},
		{"a --wait 1day", `error: --wait "1day": it is a time such as 500ms`},
		{"a --wait -1s", `error: --wait "-1s": it is a time such as 500ms`},
		{"a --state lost", `error: --state "lost": it is one of due, dead`},
		{"a --state", "error: --state needs a value"},
		{"--help a", "help: usage: postern try [flags] NAME [MORE]\n\nTries it.\n\n"},
		{"a -h", "help: usage: postern try"},
	} {
		f, _, _, _ := sample()
		got := ""
		switch err := f.Parse(strings.Fields(c.args), 1, 2); {
		case err == nil:
			got = strings.Join(f.Args(), " ")
		case errors.As(err, new(Help)):
			got = "help: " + err.Error()
		default:
			got = "error: " + err.Error()
			if !errors.As(err, new(*UsageError)) {
				t.Errorf("%s: %T", c.args, err)
			}
		}
		if got != c.want && (!strings.Contains(c.want, ": ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
	f, n, wait, word := sample()
	if err := f.Parse([]string{"a", "--limit", "3", "--wait", "2s", "b", "--state", "dead"}, 0, Any); err != nil || *n != 3 || *wait != 2*time.Second || *word != "dead" {
		t.Errorf("%v: %d %s %s", err, *n, *wait, *word)
	}
	if err := NewFlags("none", "\n").Parse([]string{"x"}, 0, 0); err == nil || !strings.HasPrefix(err.Error(), `it takes no arguments, and there is "x"`) {
		t.Errorf("%v", err)
	}
}

// Help fits a screen of 80 columns.
func TestHelp(t *testing.T) {
	f, _, _, _ := sample()
	f.String("a-flag-with-a-very-long-name", "", "what it does")
	const want = `usage: postern try [flags] NAME [MORE]

Tries it.

  --a-flag-with-a-very-long-name STRING
               what it does
  --json       JSON, one object a line, which is what a program reads that
               comes after this one in a pipe
  --limit INT  at most so many (default 20)
  --state DUE  only due or dead
  --wait TIME  time before (default 1m)
`
	if got := f.Parse([]string{"-h"}, 0, 0).Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What lasts says so after a second: in place on a terminal, now and then in
// a line of its own elsewhere.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		lasts    time.Duration
		want     string
	}{
		{true, 900 * time.Millisecond, ""},
		{false, 900 * time.Millisecond, ""},
		{true, 1500 * time.Millisecond, emptyLine + "1" + emptyLine + "2" + emptyLine + "3" + emptyLine},
		{false, 7 * time.Second, "1\n2\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			var n atomic.Int32
			stop := watchAs(&out, c.terminal, func() string { return string('0' + n.Add(1)) })
			time.Sleep(c.lasts)
			stop()
			stop()
			if out.String() != c.want {
				t.Errorf("terminal %v, %s: %q, want %q", c.terminal, c.lasts, &out, c.want)
			}
		})
	}
}

func TestFit(t *testing.T) {
	var out bytes.Buffer
	f := &fitter{w: &out, columns: 5}
	for piece := range strings.SplitAfterSeq("12345\n1234567\nсчётчик\n\n12\n", "3") {
		if n, err := f.Write([]byte(piece)); err != nil || n != len(piece) {
			t.Errorf("%d, %v", n, err)
		}
	}
	if want := "12345\n1234…\nсчёт…\n\n12\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
	if got := Hang(&out, 9, "some words"); got != "some words" {
		t.Errorf("%q", got)
	}
	if Terminal(&out) || Fit(&out) != &out {
		t.Error("a buffer is taken for a terminal")
	}
	if got := wrap("a bb ccc", 4); !slices.Equal(got, []string{"a bb", "ccc"}) {
		t.Errorf("%q", got)
	}
}
