package replytext

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineKind is what a line of a reply is.
type lineKind uint8

const (
	own     lineKind = iota // the author's words
	quote                   // quoted: ">" lines, what an attribution or a header block introduces
	sign                    // signature, disclaimer, list footer
	quoting                 // an attribution line: "On … wrote:"
)

// Bounds of what a split looks at.
const (
	maxReplyLine = 500       // octets of a line that may introduce a quote or a signature
	maxReplyText = 512 << 10 // octets of text taken apart; what follows is of its last line's kind
	maxCloseLook = 2000      // lines that look like an attribution or a header block
)

// Split takes a text apart into what the author wrote now, what they
// quote, and how they sign. It is linear in the text.
//
// Lines that begin with ">" are quoted wherever they stand, so that answers
// between them are kept. What follows an attribution without ">", a separator
// ("-----Original Message-----") or a block of header lines is quoted to the
// end. A signature that an attribution follows is above the quote and thus in
// Text, too: it can't be told from a closing line there.
func Split(text string) Reply {
	if text == "" {
		return Reply{}
	}
	whole, tail := text, ""
	if len(text) > maxReplyText {
		cut := strings.LastIndexByte(text[:maxReplyText], '\n') + 1
		text, tail = text[:cut], text[cut:]
	}
	r := replyLines{lines: strings.Split(text, "\n")}
	r.kinds = make([]lineKind, len(r.lines))
	r.markQuotes()
	r.markWrapped()
	r.markSignature()
	if !slices.ContainsFunc(r.kinds, func(k lineKind) bool { return k != own }) {
		return Reply{Text: strings.TrimSpace(whole)}
	}
	reply := Reply{Text: r.join(own), Quoted: r.join(quote, quoting), Signature: r.join(sign)}
	switch {
	case tail == "":
	case r.kinds[len(r.kinds)-1] == own && reply.Signature == "":
		reply.Text = strings.TrimSpace(reply.Text + "\n" + tail)
	default:
		reply.Quoted = strings.TrimSpace(reply.Quoted + "\n" + tail)
	}
	if reply.Text == "" { // nothing but a forwarded mail
		return Reply{Text: strings.TrimSpace(whole)}
	}
	return reply
}

// replyLines is a text while it is taken apart.
type replyLines struct {
	lines []string
	kinds []lineKind
	looks int // how often a line was looked at closely
}

// join returns the lines of the given kinds, without blank lines around them.
func (r *replyLines) join(kinds ...lineKind) string {
	var out strings.Builder
	for i, line := range r.lines {
		for _, k := range kinds {
			if r.kinds[i] == k {
				out.WriteString(line)
				out.WriteByte('\n')
				break
			}
		}
	}
	return strings.TrimSpace(out.String())
}

// markQuotes finds ">" lines, attributions, separators and header blocks.
func (r *replyLines) markQuotes() {
	for i := 0; i < len(r.lines); i++ {
		line := strings.TrimSpace(r.lines[i])
		switch {
		case line == "":
		case isQuoted(line):
			r.kinds[i] = quote
		case len(line) > maxReplyLine:
		default:
			if start, ok := r.attribution(i); ok {
				for j := start; j <= i; j++ {
					r.kinds[j] = quoting
				}
				if !isQuoted(r.after(i)) {
					r.quoteRest(i + 1)
					return
				}
			} else if r.separator(i, line) || r.headerBlock(i) {
				r.quoteRest(i)
				return
			}
		}
	}
}

// isQuoted says whether a trimmed line is marked as quoted.
func isQuoted(line string) bool {
	return strings.HasPrefix(line, ">") && !strings.HasPrefix(line, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>") || strings.HasPrefix(line, "&gt;")
}

// after is the first line behind i that isn't blank, trimmed.
func (r *replyLines) after(i int) string {
	for _, l := range r.lines[i+1:] {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

// quoteRest quotes everything from line i on, with the rule that stands above it.
func (r *replyLines) quoteRest(i int) {
	for j := i - 1; j >= 0 && i < len(r.lines); j-- {
		l := strings.TrimSpace(r.lines[j])
		if l != "" && !isRule(l) {
			break
		}
		if l != "" {
			i = j
			break
		}
	}
	for ; i < len(r.lines); i++ {
		r.kinds[i] = quote
	}
}

// isRule says whether a line is a horizontal rule.
func isRule(line string) bool {
	return len(line) >= 5 && strings.Trim(line, "_-=*─—– ") == ""
}

// attribution says whether line i ends an attribution ("On Monday, X wrote:"),
// and on which line that starts: mailers wrap it.
func (r *replyLines) attribution(i int) (int, bool) {
	last := strings.TrimRight(strings.TrimSpace(r.lines[i]), "*_ ")
	if !strings.HasSuffix(last, ":") && !strings.HasSuffix(last, "：") || r.looks >= maxCloseLook {
		return 0, false
	}
	r.looks++
	joined := ""
	for start := i; start >= 0 && start > i-5; start-- {
		line := strings.TrimSpace(r.lines[start])
		if line == "" || r.kinds[start] != own || len(joined)+len(line) > maxReplyLine {
			break
		}
		joined = line + " " + joined
		if opensAttribution(line) && r.introduces(joined, i) {
			return start, true
		}
	}
	start := i
	joined = strings.TrimSpace(r.lines[i])
	if digitGroups(joined) == 0 && i > 0 && r.kinds[i-1] == own { // the date is on the line above
		if above := strings.TrimSpace(r.lines[i-1]); digitGroups(above) > 1 {
			start, joined = i-1, above+" "+joined
		}
	}
	return start, r.introduces(joined, i)
}

// introduces says whether a joined line that ends with a colon names a date or
// a sender, and a verb of writing or enough of the former.
func (r *replyLines) introduces(joined string, i int) bool {
	dates, sender := digitGroups(joined), strings.Contains(joined, "@")
	if dates >= 3 && sender && !strings.Contains(joined, "://") {
		return true
	}
	return (dates >= 2 || sender || isQuoted(r.after(i))) && hasWritingVerb(strings.ToLower(joined))
}

// digitGroups counts the numbers of a line, those of addresses left out.
func digitGroups(s string) int {
	n, inside, angle := 0, false, false
	for _, c := range s {
		switch {
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		}
		digit := c >= '0' && c <= '9' && !angle
		if digit && !inside {
			n++
		}
		inside = digit
	}
	return n
}

// separator knows "-----Original Message-----" in many languages.
func (r *replyLines) separator(i int, line string) bool {
	core := strings.Trim(line, "-_=*> ")
	if core == line || len(line)-len(core) < 4 || len(core) > 60 || core == "" {
		return false
	}
	if !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "__") && !strings.HasPrefix(line, "**") && !strings.HasPrefix(line, "==") {
		return false
	}
	core = strings.ToLower(core)
	for _, w := range originalMessage {
		if strings.Contains(core, w) {
			return true
		}
	}
	return false
}

// headerBlock says whether the lines at i are the header of a quoted mail: a
// sender, and two more fields within the next lines.
func (r *replyLines) headerBlock(i int) bool {
	first := fieldOf(r.lines[i])
	if first != fieldFrom && first != fieldSent && first != fieldSubject || r.looks >= maxCloseLook {
		return false
	}
	r.looks++
	seen := uint(1) << first
	blank := 0
	for j := i + 1; j < len(r.lines) && j < i+9 && blank < 2; j++ {
		if strings.TrimSpace(r.lines[j]) == "" {
			blank++
			continue
		}
		if f := fieldOf(r.lines[j]); f != 0 {
			seen |= 1 << f
		}
	}
	return seen&(1<<fieldFrom) != 0 && bits.OnesCount(seen) >= 3
}

// fieldOf names the header field that a line quotes, 0 for none.
func fieldOf(line string) fieldWord {
	line = strings.TrimLeft(strings.TrimSpace(line), "*|> ")
	i := strings.IndexByte(line[:min(len(line), 41)], ':')
	if i < 0 && len(line) > 0 && line[0] >= utf8.RuneSelf {
		i = strings.Index(line[:min(len(line), 41)], "：")
	}
	if i <= 0 {
		return 0
	}
	return fieldWords(strings.ToLower(strings.Trim(line[:i], "* \t\u00a0")))
}

// markWrapped takes the rest of a quoted line that a mailer wrapped, and the
// blank lines between quoted ones.
func (r *replyLines) markWrapped() {
	last := -1 // the last line that isn't blank
	for i, line := range r.lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if last >= 0 && r.kinds[i] == quote && (r.kinds[last] == quote || r.kinds[last] == quoting) {
			for j := last + 1; j < i; j++ {
				r.kinds[j] = quote
			}
		}
		last = i
	}
	for i := 1; i < len(r.lines); i++ {
		prev := r.lines[i-1]
		if r.kinds[i] == own && r.kinds[i-1] == quote && isQuoted(strings.TrimSpace(prev)) && len(prev) >= 60 &&
			strings.TrimSpace(r.lines[i]) != "" && i+1 < len(r.lines) && isQuoted(strings.TrimSpace(r.lines[i+1])) {
			r.kinds[i] = quote
		}
	}
}

// markSignature finds the signature below the author's words.
func (r *replyLines) markSignature() {
	words := false
	for i := 0; i < len(r.lines); i++ {
		line := strings.TrimRight(r.lines[i], " \t")
		if r.kinds[i] != own || line == "" {
			continue
		}
		if words && r.signs(i, line) {
			end := r.ownEnd(i)
			if end == len(r.lines) || r.kinds[end] != quoting {
				r.cutSignature(i)
				return
			}
			i = end // above an attribution: there may be another below the quote
		}
		words = true
	}
}

// maxSignature bounds the lines of a signature.
const maxSignature = 20

// signs says whether line i starts a signature.
func (r *replyLines) signs(i int, line string) bool {
	trimmed := strings.TrimSpace(line)
	switch {
	case line == "--" || trimmed == "__":
		return r.ownLines(i) <= maxSignature
	case len(trimmed) >= 10 && strings.Trim(trimmed, "_") == "":
		return r.ownLines(i) <= maxSignature
	case mobileSignature(trimmed):
		return true
	case len(trimmed) > 2 && trimmed[0] == '-' && r.lastWords(i):
		name := trimmed[1:]
		first, _ := utf8.DecodeRuneInString(name)
		return unicode.IsUpper(first) && len(strings.Fields(name)) <= 3 && len(name) < 40
	}
	return false
}

// ownLines counts the author's lines from i on, blank ones left out.
func (r *replyLines) ownLines(i int) int {
	n := 0
	for j := i; j < len(r.lines) && n <= maxSignature; j++ {
		if r.kinds[j] == own && strings.TrimSpace(r.lines[j]) != "" {
			n++
		}
	}
	return n
}

// lastWords says whether line i stands alone below a blank line with nothing
// but a list's footer after it.
func (r *replyLines) lastWords(i int) bool {
	if i > 0 && strings.TrimSpace(r.lines[i-1]) != "" {
		return false
	}
	for j := i + 1; j < len(r.lines) && r.kinds[j] == own; j++ {
		if l := strings.TrimSpace(r.lines[j]); l != "" {
			return j > i+1 && isRule(l) && r.ownLines(j) <= maxSignature
		}
	}
	return true
}

// ownEnd is where the author's lines that stand at i end.
func (r *replyLines) ownEnd(i int) int {
	for i < len(r.lines) && r.kinds[i] == own {
		i++
	}
	return i
}

// cutSignature marks the signature at line i. Behind a mobile signature, which
// is one line, everything is what the mailer quotes.
func (r *replyLines) cutSignature(i int) {
	mobile := mobileSignature(strings.TrimSpace(r.lines[i]))
	r.kinds[i] = sign
	for j := i + 1; j < len(r.lines); j++ {
		if r.kinds[j] != own {
			continue
		}
		r.kinds[j] = sign
		if mobile && strings.TrimSpace(r.lines[j]) != "" {
			r.kinds[j] = quote
		}
	}
}
