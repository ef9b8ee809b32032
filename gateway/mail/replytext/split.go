package replytext

import "strings"

// Options say what is known of a text beside its lines.
type Options struct {
	// Marker is a line that the application put above what it wrote: what
	// follows a line with it is quoted. "" for none.
	Marker string
	// Quoted are the stretches of the text that the mail's markup quotes, in
	// octets, in their order.
	Quoted []Span
}

// Span is a stretch of a text.
type Span struct{ Start, End int }

// Bounds that keep a split cheap, whatever the text.
const (
	maxLine      = 500       // a longer line (octets) introduces no quote and no signature
	maxText      = 512 << 10 // octets that are split; what follows goes where the last line of them went
	maxCloseLook = 2000      // lines that are looked at closely for an attribution or a block of header fields
)

// Split takes a text apart. It is linear in the text.
//
// What the markup quotes is quoted. Lines that begin with ">" are quoted
// wherever they stand, so that answers between them are kept; but above an
// attribution they are the author's own. What follows an attribution without
// ">", a separator ("-----Original Message-----"), a marker or a block of header
// lines is quoted to the end. A signature ends the author's words, above what is
// quoted, too.
func Split(text string, o Options) Reply {
	reply, _ := Parts(text, o)
	return reply
}

// Parts is Split; it also tells which stretches of the text are not the author's
// words of now, each of whole lines.
func Parts(text string, o Options) (Reply, []Span) {
	switch {
	case text == "":
		return Reply{}, nil
	case len(text) <= maxText && len(o.Quoted) == 0 && o.Marker == "" && onlyWords(text):
		return Reply{Text: strings.TrimSpace(text)}, nil
	}
	whole, tail := text, ""
	if len(text) > maxText {
		cut := strings.LastIndexByte(text[:maxText], '\n') + 1
		text, tail = text[:cut], text[cut:]
	}
	l := newLines(text)
	l.markSpans(o.Quoted)
	l.markQuotes(o.Marker)
	l.markWrapped()
	l.markSignatures()
	reply := l.reply(whole, tail)
	if reply.Quoted == "" && reply.Signature == "" {
		return reply, nil
	}
	return reply, l.notOwn(len(whole))
}

// onlyWords says of most texts that no line of theirs introduces or ends
// anything, without looking closer.
func onlyWords(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if strings.IndexByte(opensMarks, line[0]) >= 0 || strings.IndexByte(line, 0xef) >= 0 || introducing(line) || mobileSignature(line) || isMarker(line) {
			return false
		}
	}
	return true
}

// opensMarks are the first octets of marks: rules, quotes, marks of direction.
const opensMarks = "-_=*#~<>&|+([\xc2\xe2\xe3"

// introducing says whether a line can be an attribution's last or a field of a
// header.
func introducing(line string) bool {
	i := strings.IndexByte(line, ':')
	return i >= 0 && (strings.HasSuffix(strings.TrimRight(line, "*_ \u00a0\u200e\u200f\u202c\u2069"), ":") || i <= maxLabel && !strings.HasPrefix(line[i+1:], "//"))
}

// reply puts the lines together; tail is what follows them, and whole all.
func (l *lines) reply(whole, tail string) Reply {
	if l.allOwn() {
		return Reply{Text: strings.TrimSpace(whole)}
	}
	reply := Reply{Text: l.join(own), Quoted: l.join(quote, quoting), Signature: l.join(sign)}
	switch {
	case tail == "":
	case l.kinds[len(l.kinds)-1] == own && reply.Signature == "":
		reply.Text = strings.TrimSpace(reply.Text + "\n" + tail)
	default:
		reply.Quoted = strings.TrimSpace(reply.Quoted + "\n" + tail)
	}
	if reply.Text == "" { // nothing but a forwarded mail
		return Reply{Text: strings.TrimSpace(whole)}
	}
	return reply
}

// notOwn is the stretches of the text that aren't the author's; size is that of
// the text, whose end is of the last line's kind.
func (l *lines) notOwn(size int) (spans []Span) {
	at := 0
	for i, s := range l.raw {
		switch {
		case l.kinds[i] == own:
		case len(spans) > 0 && spans[len(spans)-1].End == at:
			spans[len(spans)-1].End = at + len(s) + 1
		default:
			spans = append(spans, Span{at, at + len(s) + 1})
		}
		at += len(s) + 1
	}
	if n := len(spans); n > 0 && spans[n-1].End >= at && at < size {
		spans[n-1].End = size
	}
	return spans
}

// lineKind is what a line of a reply is.
type lineKind uint8

const (
	own     lineKind = iota // the author's words
	quote                   // quoted: ">" lines, what an attribution or a header block introduces
	sign                    // signature, disclaimer, list footer
	quoting                 // an attribution line: "On … wrote:"
)

// lines is a text while it is taken apart.
type lines struct {
	raw   []string
	plain []string // trimmed, without marks of direction, with plain blanks and colons
	kinds []lineKind
	looks int // how often a line was looked at closely
}

func newLines(text string) *lines {
	l := &lines{raw: strings.Split(text, "\n")}
	l.plain, l.kinds = make([]string, len(l.raw)), make([]lineKind, len(l.raw))
	for i, s := range l.raw {
		l.plain[i] = plainly(s)
	}
	return l
}

// plainly is a line as it is looked at.
func plainly(s string) string {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		switch s[i] {
		case 0xc2, 0xe2, 0xe3, 0xef: // with which those of plainRunes begin
			return strings.TrimSpace(plainRunes.Replace(s))
		}
	}
	return s
}

var plainRunes = strings.NewReplacer("\u200e", "", "\u200f", "", "\u202a", "", "\u202b", "", "\u202c", "", "\u202d", "", "\u202e", "",
	"\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "", "\ufeff", "", "\u200b", "", "\u00a0", " ", "\u202f", " ", "\u3000", " ", "：", ":", "﹕", ":", "＜", "<", "＞", ">")

func (l *lines) allOwn() bool {
	for _, k := range l.kinds {
		if k != own {
			return false
		}
	}
	return true
}

// join returns the lines of the given kinds, without blank lines around them.
func (l *lines) join(kinds ...lineKind) string {
	var out strings.Builder
	for i, line := range l.raw {
		for _, k := range kinds {
			if l.kinds[i] == k {
				out.WriteString(line)
				out.WriteByte('\n')
				break
			}
		}
	}
	return strings.TrimSpace(out.String())
}

// after is the first line behind i that isn't blank.
func (l *lines) after(i int) string {
	for _, s := range l.plain[i+1:] {
		if s != "" {
			return s
		}
	}
	return ""
}

// markSpans marks the lines that the markup quotes.
func (l *lines) markSpans(spans []Span) {
	at, k := 0, 0
	for i, s := range l.raw {
		for k < len(spans) && spans[k].End <= at {
			k++
		}
		if k < len(spans) && spans[k].Start < at+len(s) && spans[k].End > at && l.plain[i] != "" {
			l.kinds[i] = quote
		}
		at += len(s) + 1
	}
}
