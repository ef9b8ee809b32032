package replytext

import (
	"strings"

	"postern/gateway/text"
)

// markQuotes finds ">" lines, attributions, separators, markers and header
// blocks.
func (l *lines) markQuotes(marker string) {
	introduced := false
	for i := range l.raw {
		line := l.plain[i]
		switch {
		case line == "" || l.kinds[i] == quote:
		case marker != "" && strings.Contains(l.raw[i], marker):
			l.quoteRest(l.introduction(i))
			return
		case isGroupWise(line):
			l.quoteRest(i)
			return
		case isQuoted(line):
			l.kinds[i] = quote
		case len(line) > maxLine:
		default:
			if start, ok := l.attribution(i); ok {
				for j := start; j <= i; j++ {
					l.kinds[j] = quoting
				}
				if !introduced {
					l.keepOwnQuotes(start)
				}
				introduced = true
				if !isQuoted(l.after(i)) && !l.quotedBelow(i) {
					l.quoteRest(i + 1)
					return
				}
			} else if isMarker(line) {
				l.quoteRest(l.introduction(i))
				return
			} else if l.separator(i) {
				l.quoteRest(i)
				return
			} else if l.headerBlock(i) {
				l.quoteRest(l.announced(i))
				return
			}
		}
	}
}

// isQuoted says whether a line is marked as quoted.
func isQuoted(line string) bool {
	return strings.HasPrefix(line, ">") && !strings.HasPrefix(line, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>") || strings.HasPrefix(line, "&gt;")
}

// isGroupWise knows ">>> Bob <bob@example.com> 03/02/26 10:00 AM >>>".
func isGroupWise(line string) bool {
	return len(line) < maxLine && strings.HasPrefix(line, ">>>") && strings.HasSuffix(line, ">>>") && len(line) > 12 && hasDate(line)
}

// keepOwnQuotes gives the author back what they quote themselves, below words of
// their own and above the attribution.
func (l *lines) keepOwnQuotes(attribution int) {
	words := false
	for i := range attribution {
		switch {
		case l.plain[i] == "":
		case l.kinds[i] == own:
			words = true
		case words && l.kinds[i] == quote && isQuoted(l.plain[i]):
			l.kinds[i] = own
		}
	}
}

// quotedBelow says whether what follows line i is quoted by the markup.
func (l *lines) quotedBelow(i int) bool {
	for k := i + 1; k < len(l.raw); k++ {
		if l.plain[k] != "" {
			return l.kinds[k] == quote
		}
	}
	return false
}

// quoteRest quotes everything from line i on, with the rule that stands above it.
func (l *lines) quoteRest(i int) {
	for j := i - 1; j >= 0 && i < len(l.raw); j-- {
		s := l.plain[j]
		if s != "" && !isRule(s) {
			break
		}
		if s != "" {
			i = j
			break
		}
	}
	for ; i < len(l.raw); i++ {
		if l.kinds[i] != quoting {
			l.kinds[i] = quote
		}
	}
}

// announced is where the words above a header block start: "Begin forwarded
// message:".
func (l *lines) announced(i int) int {
	for j := i - 1; j >= 0 && j > i-3; j-- {
		if s := l.plain[j]; s != "" {
			if l.kinds[j] == own && len(strings.Fields(s)) <= 5 && namesOriginal(strings.ToLower(s)) {
				return j
			}
			break
		}
	}
	return i
}

// isRule says whether a line is a horizontal rule.
func isRule(line string) bool {
	return len(line) >= 3 && strings.Trim(line, "_-=*─—– ") == ""
}

// introduction is where the attribution above a marker starts: mailers write it
// above the first line that they quote.
func (l *lines) introduction(i int) int {
	for j := i - 1; j >= 0 && j > i-4; j-- {
		if l.kinds[j] == quoting {
			for j > 0 && l.kinds[j-1] == quoting {
				j--
			}
			return j
		}
		if l.plain[j] != "" {
			break
		}
	}
	return i
}

// separator knows "-----Original Message-----" in many languages, and in any
// where header lines follow.
func (l *lines) separator(i int) bool {
	line := l.plain[i]
	core := strings.Trim(line, "-_=*─—–‐> ")
	if core == line || len(line)-len(core) < 4 || len(core) > 90 || core == "" {
		return false
	}
	if !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "__") && !strings.HasPrefix(line, "**") && !strings.HasPrefix(line, "==") && !strings.HasPrefix(line, "──") && !strings.HasPrefix(line, "‐‐") {
		return false
	}
	low := strings.ToLower(core)
	if namesOriginal(low) {
		return true
	}
	if !strings.HasSuffix(line, "--") && !strings.HasSuffix(line, "==") && !strings.HasSuffix(line, "__") {
		return false
	}
	if verb := hasWritingVerb(low); verb && len(strings.Fields(core)) <= 5 || hasAddress(core) && (verb || hasDate(core)) { // ---- On Monday Bob <bob@example.com> wrote ----
		return true
	}
	n := 0
	for j := i + 1; j < len(l.plain) && j <= i+4; j++ {
		if _, value, ok := cutLabel(l.plain[j]); ok && value != "" {
			n++
		}
	}
	return n >= 3
}

// namesOriginal says whether a lower-case line calls what follows the original,
// or a forwarded mail.
func namesOriginal(low string) bool {
	for _, w := range originalMessage {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// maxMarker bounds the line of a marker, and maxBareMarker that of one without
// dashes around.
const (
	maxMarker     = 160
	maxBareMarker = 60
)

// isMarker knows "-- Reply ABOVE THIS LINE --" and its like.
func isMarker(line string) bool {
	if strings.HasPrefix(line, "##-") && strings.HasSuffix(line, "-##") {
		return true
	}
	decorated := strings.IndexByte("-_=*#~<+|([", line[0]) >= 0 || strings.HasPrefix(line, "─") || strings.HasPrefix(line, "—")
	if len(line) > maxMarker || !decorated && len(line) > maxBareMarker {
		return false
	}
	low := strings.ToLower(line)
	if !decorated && text.IsASCII(low) && !strings.Contains(low, "above") && !strings.Contains(low, "below") {
		return false
	}
	for _, w := range aboveThisLine {
		if strings.Contains(low, w) {
			bare := strings.Trim(low, "-_=*#~<>+|─—– .!:([])")
			return bare != low && len(bare) < len(w)+40 || len(bare) < len(w)+12
		}
	}
	return false
}

// markWrapped takes the rest of a quoted line that a mailer wrapped, and the
// blank lines between quoted ones.
func (l *lines) markWrapped() {
	last := -1 // the last line that isn't blank
	for i, line := range l.plain {
		if line == "" {
			continue
		}
		if last >= 0 && l.kinds[i] == quote && (l.kinds[last] == quote || l.kinds[last] == quoting) {
			for j := last + 1; j < i; j++ {
				l.kinds[j] = quote
			}
		}
		last = i
	}
	for i := 1; i < len(l.raw); i++ {
		prev := l.raw[i-1]
		if l.kinds[i] == own && l.kinds[i-1] == quote && isQuoted(l.plain[i-1]) && len(prev) >= 60 &&
			l.plain[i] != "" && i+1 < len(l.raw) && isQuoted(l.plain[i+1]) {
			l.kinds[i] = quote
		}
	}
}
