package htmltext

import (
	"bytes"

	"postern/gateway/mail/htmltext/css"
)

// writer lays words out in lines. Blanks and line ends are due, not written,
// until something visible follows: nothing begins or ends with them.
type writer struct {
	out   []byte
	ends  int  // line ends due
	blank bool // a blank is due
	hard  int  // no-break spaces due
	kept  bool // the blanks at the line's start are the author's: preformatted
	begun bool // there is a line
	start int  // where the first word since it was set to -1 stands
	line  int  // where the last line begins, behind the prefix of base
	first int  // where the last line's words begin

	prefix []prefix // of each line, the outermost first
	common int      // of the prefix, how much the last line has, too
	base   int      // of the prefix, how much stands outside of the row

	opening []string // marks due before the next word
	marks   []string // marks written that are closed at a line's end and opened again on the next
	oneLine bool     // line ends are blanks
	due     int      // line ends before the first word of the one line
	soft    string   // before a line end within a paragraph
	escape  func(w *writer, s []byte)
}

// prefix is what each line of a quote or a list item begins with.
type prefix struct {
	mark string // on its first line
	rest string // on the others
}

// maxPrefix bounds the nested quotes and lists that are marked.
const maxPrefix = 12

// push adds a prefix to the lines that follow; it returns what takes it off.
func (w *writer) push(mark, rest string) (pop func()) {
	if len(w.prefix) >= maxPrefix || w.oneLine {
		return func() {}
	}
	w.prefix = append(w.prefix, prefix{mark, rest})
	return func() {
		w.prefix = w.prefix[:len(w.prefix)-1]
		w.common = min(w.common, len(w.prefix))
	}
}

// breakLine asks for line ends before the next word: 1 for a new line, 2 for a
// blank line between.
func (w *writer) breakLine(n int) {
	if n == 0 {
		return
	}
	if w.hard > 0 && w.ends > 0 { // a line of blanks alone
		w.ends = max(w.ends, 2)
	}
	w.hard, w.blank, w.kept = 0, false, false
	w.ends = max(w.ends, n)
}

// lineEnd is a <br>.
func (w *writer) lineEnd() {
	w.hard, w.blank, w.kept = 0, false, false
	w.ends = max(w.ends, min(w.ends+1, 2))
}

// words writes text whose white space is one blank, wherever it is.
func (w *writer) words(s []byte) {
	for len(s) > 0 {
		if n := wordEnd(s); n > 0 {
			w.word(s[:n])
			s = s[n:]
			continue
		}
		switch {
		case css.Blank(s[0]):
			w.blank = true
			s = s[1:]
		case s[0] == 0xc2 && s[1] == 0xa0:
			w.hard++
			s = s[2:]
		default:
			s = s[invisible(s):]
		}
	}
}

// lines writes text with its line ends and blanks.
func (w *writer) lines(s []byte) {
	for len(s) > 0 {
		if n := wordEnd(s); n > 0 {
			w.word(s[:n])
			s = s[n:]
			continue
		}
		w.kept = true
		n := 1
		switch c := s[0]; {
		case c == '\n':
			w.ends++
			w.hard = 0
		case c == '\t':
			w.hard += 8
		case c == '\r' || c == '\f':
		case c == ' ':
			w.hard++
		case c == 0xc2 && s[1] == 0xa0:
			w.hard++
			n = 2
		default:
			n = invisible(s)
		}
		s = s[n:]
	}
}

// word writes what has no blank in it, behind the blanks and line ends due.
func (w *writer) word(s []byte) {
	w.flush()
	if w.escape != nil {
		w.escape(w, s)
		return
	}
	w.out = append(w.out, s...)
}

// raw writes markup, or what is laid out already, like a word.
func (w *writer) raw(s string) {
	w.flush()
	w.out = append(w.out, s...)
}

// tightly writes what belongs to the last word, before anything due.
func (w *writer) tightly(s string) { w.out = append(w.out, s...) }

// flush writes the blanks, line ends and marks due.
func (w *writer) flush() {
	at := -1
	switch {
	case !w.begun || w.due > 0 || w.ends > 0 && !w.oneLine:
		w.newLine(max(w.ends, w.due))
		at = w.line
		if w.kept {
			w.spaces(w.hard)
		}
	case w.hard > 0:
		w.spaces(w.hard)
	case w.blank || w.ends > 0:
		w.spaces(1)
	}
	w.ends, w.due, w.hard, w.blank, w.kept = 0, 0, 0, false, false
	if w.start < 0 {
		if w.start = at; at < 0 {
			w.start = len(w.out)
		}
	}
	for _, m := range w.opening {
		w.out = append(w.out, m...)
		if m != "[" {
			w.marks = append(w.marks, m)
		}
	}
	w.opening = w.opening[:0]
}

// newLine ends the line there is and begins another.
func (w *writer) newLine(ends int) {
	if w.begun {
		w.opening = append(w.end(), w.opening...)
		if ends == 1 && !w.markDue() {
			w.out = append(w.out, w.soft...)
		}
		w.out = append(w.out, '\n')
		for range ends - 1 {
			for _, p := range w.prefix[:w.common] {
				w.out = append(w.out, p.rest...)
			}
			w.out = append(bytes.TrimRight(w.out, " "), '\n')
		}
	}
	w.begun, w.common, w.line = true, len(w.prefix), len(w.out)
	for i := range w.prefix {
		if i == w.base {
			w.line = len(w.out)
		}
		p := &w.prefix[i]
		if p.mark != "" {
			w.out = append(w.out, p.mark...)
			p.mark = ""
		} else {
			w.out = append(w.out, p.rest...)
		}
	}
	w.first = len(w.out)
	if w.base >= len(w.prefix) {
		w.line = w.first
	}
}

// end closes the marks that are open, and returns them.
func (w *writer) end() []string {
	marks := w.marks
	for i := len(marks) - 1; i >= 0; i-- {
		w.out = append(w.out, marks[i]...)
	}
	w.marks = nil
	return marks
}

// markDue says whether the next line begins an item.
func (w *writer) markDue() bool {
	for _, p := range w.prefix {
		if p.mark != "" && p.mark != p.rest {
			return true
		}
	}
	return false
}

// maxSpaces bounds the blanks in a row.
const maxSpaces = 200

func (w *writer) spaces(n int) {
	for range min(n, maxSpaces) {
		w.out = append(w.out, ' ')
	}
}

// open asks for a mark before the next word.
func (w *writer) open(mark string) { w.opening = append(w.opening, mark) }

// close ends what a mark opened; nothing is left where no word was between.
func (w *writer) close(mark string) {
	if n := len(w.opening); n > 0 && w.opening[n-1] == mark {
		w.opening = w.opening[:n-1]
	} else if n := len(w.marks); n > 0 && w.marks[n-1] == mark {
		w.marks = w.marks[:n-1]
		w.tightly(mark)
	}
}
