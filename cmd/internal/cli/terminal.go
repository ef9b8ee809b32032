package cli

import (
	"bytes"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Terminal reports whether a person watches what is written, or types what is
// read.
func Terminal(stream any) bool {
	_, is := Width(stream)
	return is
}

// Width is how many columns a terminal has; false where the stream is none.
func Width(stream any) (columns int, terminal bool) {
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// Hang breaks a text for a terminal into lines that begin under its first word,
// so many columns from the left; what is no terminal gets it in one line.
func Hang(w io.Writer, indent int, s string) string {
	columns, terminal := Width(w)
	if !terminal || columns < indent+20 {
		return s
	}
	return strings.Join(wrap(s, columns-indent), "\n"+strings.Repeat(" ", indent))
}

// Fit cuts lines to a terminal's width; what is no terminal gets them whole. A
// line is written when it ends.
func Fit(w io.Writer) io.Writer {
	columns, terminal := Width(w)
	if !terminal || columns < 20 {
		return w
	}
	return &fitter{w: w, columns: columns}
}

// fitter cuts each line that is written through it, in whatever pieces.
type fitter struct {
	w       io.Writer
	columns int
	begun   []byte // of a line
}

// Write implements io.Writer.
func (f *fitter) Write(p []byte) (int, error) {
	f.begun = append(f.begun, p...)
	end := bytes.LastIndexByte(f.begun, '\n') + 1
	var out strings.Builder
	for line := range strings.Lines(string(f.begun[:end])) {
		if words := []rune(strings.TrimSuffix(line, "\n")); len(words) > f.columns {
			line = string(words[:f.columns-1]) + "…\n"
		}
		out.WriteString(line)
	}
	f.begun = f.begun[end:]
	if _, err := io.WriteString(f.w, out.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
