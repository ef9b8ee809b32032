package cli

import (
	"flag"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	screen  = 79 // columns of a terminal's line that help uses
	maxName = 24 // columns of the longest flag that has its words beside it
)

// help is the command's form, what it does, and its flags.
func (f *Flags) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s\n", strings.TrimSpace("postern "+f.Name()+" "+f.synopsis))
	if f.about != "" {
		fmt.Fprintf(&b, "\n%s\n", f.about)
	}
	var flags [][2]string
	f.VisitAll(func(one *flag.Flag) { flags = append(flags, line(one)) })
	if len(flags) > 0 {
		b.WriteString("\n" + Columns(flags))
	}
	return b.String()
}

// word is what stands for a value; other kinds are examples of one.
var word = regexp.MustCompile("^[a-z]+$")

// line is a flag and what it does.
func line(one *flag.Flag) [2]string {
	kind, usage := flag.UnquoteUsage(one)
	if word.MatchString(kind) {
		kind = strings.ToUpper(kind)
	}
	name := strings.TrimSpace("--" + one.Name + " " + kind)
	if d := one.DefValue; d != "" && d != "0" && d != "false" && kind != "" {
		usage += fmt.Sprintf(" (default %s)", d)
	}
	return [2]string{name, usage}
}

// Columns writes names and what they mean side by side, within a screen.
func Columns(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		if n := utf8.RuneCountInString(r[0]); n <= maxName {
			width = max(width, n)
		}
	}
	indent := "\n" + strings.Repeat(" ", width+4)
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "  %-*s", width, r[0])
		if utf8.RuneCountInString(r[0]) > width {
			b.WriteString(indent[:len(indent)-2])
		}
		b.WriteString("  " + strings.Join(wrap(r[1], screen-width-4), indent) + "\n")
	}
	return b.String()
}

// wrap breaks a text into lines of at most so many columns, but within no word.
func wrap(s string, columns int) []string {
	var lines []string
	line, long := "", 0
	for _, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		if long > 0 && long+1+n > columns {
			lines, line, long = append(lines, line), "", 0
		}
		if long > 0 {
			line, long = line+" ", long+1
		}
		line, long = line+word, long+n
	}
	return append(lines, line)
}
