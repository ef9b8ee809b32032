package htmltext

import (
	"bytes"
	"strings"
)

// heading writes "## words" on one line.
func (r *renderer) heading(c int32, n *node) {
	level := int(n.tag.String()[1] - '0')
	pop := r.w.push(strings.Repeat("#", level)+" ", "")
	strong := r.strong
	r.strong = true // a heading is bold already
	r.onOneLine(func() { r.walk(c) })
	r.strong = strong
	pop()
}

// onOneLine writes what f writes without line ends in it.
func (r *renderer) onOneLine(f func()) {
	if r.w.oneLine {
		f()
		return
	}
	r.w.oneLine, r.w.due, r.w.ends = true, r.w.ends, 0
	f()
	r.w.oneLine, r.w.ends, r.w.due = false, max(r.w.ends, r.w.due), 0
}

// emphasis marks words, once.
func (r *renderer) emphasis(c int32, mark string) {
	on := &r.strong
	switch mark {
	case "*":
		on = &r.slanted
	case "~~":
		on = &r.struck
	}
	if *on || r.bare {
		r.walk(c)
		return
	}
	*on = true
	r.w.open(mark)
	r.walk(c)
	r.w.close(mark)
	*on = false
}

// code writes words as they are between backticks.
func (r *renderer) code(c int32) {
	escape := r.w.escape
	if r.bare || escape == nil || bytes.IndexByte(r.wordsOf(c), '`') >= 0 {
		r.walk(c)
		return
	}
	r.w.open("`")
	r.w.escape = nil
	r.walk(c)
	r.w.close("`")
	r.w.escape = escape
}

// fence writes preformatted text as it is.
func (r *renderer) fence(c int32) {
	words := r.wordsOf(c)
	if r.bare || r.w.oneLine || len(bytes.TrimSpace(words)) == 0 {
		r.walk(c)
		return
	}
	mark := "```"
	for bytes.Contains(words, []byte(mark)) && len(mark) < 16 {
		mark += "`"
	}
	escape, soft := r.w.escape, r.w.soft
	r.w.escape, r.w.soft = nil, ""
	r.strong, r.slanted, r.struck = true, true, true // no marks in it
	r.w.raw(mark)
	r.w.breakLine(1)
	r.walk(c)
	r.w.ends = 1
	r.w.raw(mark)
	r.strong, r.slanted, r.struck = false, false, false
	r.w.escape, r.w.soft = escape, soft
}

// markdownLink writes "[words](target)".
func (r *renderer) markdownLink(c int32, target string) {
	pictures := r.pictures
	words := r.wordsOf(c)
	switch {
	case string(bytes.TrimSpace(words)) == target && strings.ContainsAny(target, "@:"):
		r.w.raw("<" + target + ">")
		return
	case strings.Contains(target, "@") && !strings.Contains(target, ":"):
		target = "mailto:" + target
	case strings.Trim(target, "+0123456789-(). ") == "":
		target = "tel:" + target
	}
	r.onOneLine(func() {
		r.w.open("[")
		r.walk(c)
		if n := len(r.w.opening); n == 0 || r.w.opening[n-1] != "[" {
			r.w.tightly("](" + markdownURL(target) + ")")
			return
		}
		r.w.opening = r.w.opening[:len(r.w.opening)-1]
		if r.pictures > pictures {
			r.w.raw("[](" + markdownURL(target) + ")")
		}
	})
}

var urlEscapes = strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", `\`, "%5C")

func markdownURL(s string) string { return urlEscapes.Replace(s) }

// wordsOf is the visible characters below a node.
func (r *renderer) wordsOf(i int32) []byte {
	const most = maxTarget // more is no target, and no code
	var out []byte
	var walk func(int32)
	walk = func(i int32) {
		for c := range r.children(i) {
			n := &r.nodes[c]
			switch {
			case n.why != Shown || len(out) > most:
			case n.tag == textTag:
				out = append(out, r.text(n)...)
			default:
				walk(c)
			}
		}
	}
	walk(i)
	return out
}

// markdownTable writes a table as GFM has it: the first row is its head.
func (r *renderer) markdownTable(grid [][]int32) {
	wide := 0
	for _, row := range grid {
		wide = max(wide, len(row))
	}
	for i, row := range grid {
		var line strings.Builder
		for k := range wide {
			cell := ""
			if k < len(row) {
				cell = strings.ReplaceAll(r.cell(row[k]), "|", `\|`)
			}
			line.WriteString("| " + cell + " ")
		}
		r.tableLine(line.String() + "|")
		if i == 0 {
			r.tableLine(strings.Repeat("| --- ", wide) + "|")
		}
	}
}

func (r *renderer) tableLine(s string) {
	soft := r.w.soft
	r.w.soft = ""
	r.w.breakLine(1)
	r.w.raw(s)
	r.w.soft = soft
}

// maxEntity is longer than any name of a character.
const maxEntity = 40

// escapeMarkdown writes a word so that none of it is markup.
func escapeMarkdown(w *writer, s []byte) {
	first := len(w.out) == w.first
	for i, c := range s {
		switch c {
		case '\\', '`', '*', '[', ']':
			w.out = append(w.out, '\\')
		case '_', '~':
			if i == 0 || i == len(s)-1 || s[i-1] == c || s[i+1] == c || !alphanumeric(s[i-1]) || !alphanumeric(s[i+1]) {
				w.out = append(w.out, '\\')
			}
		case '<':
			if i+1 < len(s) && (alphanumeric(s[i+1]) || s[i+1] == '/' || s[i+1] == '!' || s[i+1] == '?') {
				w.out = append(w.out, '\\')
			}
		case '&':
			if bytes.IndexByte(s[i:min(len(s), i+maxEntity)], ';') > 1 {
				w.out = append(w.out, '\\')
			}
		case '#', '>', '+', '-', '=':
			if i == 0 && first && (c == '>' || len(bytes.Trim(s, string(c))) == 0) {
				w.out = append(w.out, '\\')
			}
		case '.', ')':
			if first && i > 0 && i == len(s)-1 && len(s) < 10 && len(bytes.Trim(s[:i], "0123456789")) == 0 {
				w.out = append(w.out, '\\')
			}
		}
		w.out = append(w.out, c)
	}
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}
