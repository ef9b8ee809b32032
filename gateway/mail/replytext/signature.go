package replytext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a signature, in lines that aren't blank.
const (
	maxSignature  = 20
	maxUnmarked   = 8   // below "--" without the blank that makes it a mark (RFC 3676 4.3)
	maxDivided    = 200 // above such a line, where the same one is looked for
	minListFooter = 10  // underscores of a rule above a list's footer
)

// markSignatures finds the signature that ends each stretch of the author's
// words.
func (l *lines) markSignatures() {
	words := false
	for i := 0; i < len(l.raw); {
		if l.kinds[i] != own {
			i++
			continue
		}
		end := l.ownEnd(i)
		for k := i; k < end; k++ {
			if l.plain[k] == "" {
				continue
			}
			if words && l.signs(k, end) {
				l.cutSignature(k, end)
				break
			}
			words = true
		}
		i = end
	}
}

// cutSignature marks the signature at line i. Behind a mailer's, which is one
// line, there is what the mailer quotes without saying so.
func (l *lines) cutSignature(i, end int) {
	mobile := mobileSignature(l.plain[i])
	for k := i; k < end; k++ {
		l.kinds[k] = sign
		if mobile && k > i && l.plain[k] != "" && !l.mailersOwn(k) {
			l.kinds[k] = quote
		}
	}
}

// ownEnd is where the author's lines that stand at i end.
func (l *lines) ownEnd(i int) int {
	for i < len(l.raw) && l.kinds[i] == own {
		i++
	}
	return i
}

// signs says whether the signature of the words up to end starts at line i.
func (l *lines) signs(i, end int) bool {
	line, plain := strings.TrimRight(l.raw[i], "\t\r"), l.plain[i]
	switch {
	case line == "-- " || plain == "__":
		return l.filled(i, end) <= maxSignature
	case plain == "--":
		return l.filled(i, end) <= maxUnmarked && !l.looksLikeCode(i+1, end) && !l.repeated(i, end)
	case len(plain) >= minListFooter && strings.Trim(plain, "_") == "":
		return l.filled(i, end) <= maxSignature && l.namesPlace(i+1, end)
	case mobileSignature(plain):
		return l.onlyMobile(i+1, end)
	case len(plain) > 2 && plain[0] == '-' && end == len(l.raw) && l.lastWords(i, end):
		name := plain[1:]
		first, _ := utf8.DecodeRuneInString(name)
		return unicode.IsUpper(first) && len(strings.Fields(name)) <= 3 && len(name) < 40
	}
	return false
}

// filled counts the lines from i to end that aren't blank.
func (l *lines) filled(i, end int) (n int) {
	for ; i < end && n <= maxSignature; i++ {
		if l.plain[i] != "" {
			n++
		}
	}
	return n
}

// looksLikeCode says whether lines are a program's, not a name and a place.
func (l *lines) looksLikeCode(i, end int) bool {
	for ; i < end; i++ {
		if s := l.plain[i]; s != "" && strings.ContainsAny(s[len(s)-1:], ";{}") {
			return true
		}
	}
	return false
}

// repeated says whether the line stands more than once in the words that it is
// part of: then it divides them.
func (l *lines) repeated(i, end int) bool {
	start := i
	for start > 0 && l.kinds[start-1] == own && i-start < maxDivided {
		start--
	}
	for k := start; k < end; k++ {
		if k != i && l.plain[k] == l.plain[i] {
			return true
		}
	}
	return false
}

// namesPlace says whether lines tell where a list is or to whom one may write.
func (l *lines) namesPlace(i, end int) bool {
	for ; i < end; i++ {
		low := strings.ToLower(l.plain[i])
		if hasAddress(low) || strings.Contains(low, "://") || strings.Contains(low, "www.") || strings.Contains(low, "mailing list") || strings.Contains(low, "confidential") {
			return true
		}
	}
	return false
}

// onlyMobile says whether nothing but signatures of mailers follows, or, at the
// text's end and below a blank line, what is quoted without a word.
func (l *lines) onlyMobile(i, end int) bool {
	for k := i; k < end; k++ {
		s := strings.ToLower(l.plain[k])
		if s == "" || l.mailersOwn(k) {
			continue
		}
		return end == len(l.raw) && l.plain[i] == "" && !strings.HasPrefix(s, "ps") && !strings.HasPrefix(s, "p.s") && !strings.HasPrefix(s, "p. s")
	}
	return true
}

// mailersOwn says whether a line is what mailers add below a signature.
func (l *lines) mailersOwn(k int) bool {
	s := l.plain[k]
	return mobileSignature(s) || isRule(s) || strings.HasPrefix(s, "<http") || strings.HasPrefix(s, "http")
}

// lastWords says whether line i stands alone below a blank line with nothing
// but a list's footer after it.
func (l *lines) lastWords(i, end int) bool {
	if i > 0 && l.plain[i-1] != "" {
		return false
	}
	for j := i + 1; j < end; j++ {
		if s := l.plain[j]; s != "" {
			return j > i+1 && isRule(s) && l.filled(j, end) <= maxSignature
		}
	}
	return true
}
