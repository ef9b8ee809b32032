package replytext

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAttribution bounds the lines of an attribution: mailers wrap it.
const maxAttribution = 4

// attribution says whether line i ends an attribution ("On Monday, X wrote:"),
// and on which line that starts. Words of many languages help, but the form is
// enough: a date and an address before a colon.
func (l *lines) attribution(i int) (int, bool) {
	last := strings.TrimRight(l.plain[i], "*_ ")
	if !strings.HasSuffix(last, ":") || l.looks >= maxCloseLook {
		return 0, false
	}
	l.looks++
	quoted := isQuoted(l.after(i)) || l.quotedBelow(i)
	joined, found, strongest := "", -1, none
	for start := i; start >= 0 && start > i-maxAttribution; start-- {
		line := l.plain[start]
		if line == "" || l.kinds[start] != own || len(joined)+len(line) > maxLine {
			break
		}
		joined = strings.TrimSpace(line + " " + joined)
		s := introduces(joined, quoted)
		if s > strongest || s == strongest && s != none && opensAttribution(line) && !opensAttribution(l.plain[found]) {
			found, strongest = start, s
		}
		if strongest == certain && opensAttribution(l.plain[found]) {
			break
		}
	}
	for strongest != none && found > 0 && i-found < maxAttribution-1 && (!opensAttribution(l.plain[found]) && l.wraps(found-1, i) || l.namesSender(found, i)) {
		found--
	}
	return found, strongest != none
}

// namesSender says whether the line above an attribution has the address that
// the attribution lacks.
func (l *lines) namesSender(start, end int) bool {
	above := l.plain[start-1]
	return l.kinds[start-1] == own && hasAddress(above) && hasBracketed(above) && !hasAddress(strings.Join(l.plain[start:end+1], " "))
}

// wraps says whether line k goes on in the next one because that line's first
// word didn't fit; last is where the wrapped words end.
func (l *lines) wraps(k, last int) bool {
	if l.plain[k] == "" || l.kinds[k] != own {
		return false
	}
	width := 0
	for j := k; j <= last; j++ {
		width = max(width, utf8.RuneCountInString(l.plain[j]))
	}
	first, _, _ := strings.Cut(l.plain[k+1], " ")
	return utf8.RuneCountInString(l.plain[k])+1+utf8.RuneCountInString(first) > width
}

// strength is how sure it is that a text introduces a quote.
type strength uint8

const (
	none strength = iota
	likely
	certain
)

// introduces judges a joined line that ends with a colon; quoted says that a
// quote follows it.
func introduces(s string, quoted bool) strength {
	words := len(strings.Fields(s))
	date, address := hasDate(s), hasAddress(s)
	verb := hasWritingVerb(strings.ToLower(s))
	switch {
	case words > 30 || strings.Contains(s, "://") && !strings.Contains(s, "<http"):
		return none
	case date && address && (verb || quoted || hasBracketed(s) && words <= 16):
		return certain
	case date && verb:
		return certain
	case quoted && verb && (address || words <= 8), verb && address && hasBracketed(s) && words <= 12:
		return likely
	case quoted && address && words <= 8, quoted && date && hasYear(s) && words <= 14:
		return likely
	}
	return none
}

// hasAddress says whether a text holds a mail address.
func hasAddress(s string) bool {
	for {
		i := strings.IndexByte(s, '@')
		if i < 0 {
			return false
		}
		if i > 0 && isLocal(s[i-1]) && i+1 < len(s) && (isLocal(s[i+1]) || s[i+1] == '[') {
			return true
		}
		s = s[i+1:]
	}
}

func isLocal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || strings.IndexByte("_-+.=\"'", c) >= 0
}

// hasBracketed says whether the address stands in brackets, as mailers write it.
func hasBracketed(s string) bool {
	i := strings.IndexByte(s, '@')
	before, after := s[:max(i, 0)], s[max(i, 0):]
	return strings.ContainsAny(before, "<([") && strings.ContainsAny(after, ">)]")
}

// hasDate says whether a text, without its addresses, holds a date or a time of
// day.
func hasDate(s string) bool {
	numbers, clock := 0, false
	year := false
	for n := range numbersOf(s) {
		numbers++
		year = year || n.isYear()
		clock = clock || n.clock
	}
	return year && numbers > 1 || clock && numbers > 1 || numbers >= 3
}

func hasYear(s string) bool {
	for n := range numbersOf(s) {
		if n.isYear() {
			return true
		}
	}
	return false
}

// number is a number in a text.
type number struct {
	value, digits int
	clock         bool // "10:00" starts with it
}

// isYear knows those of the calendars in use.
func (n number) isYear() bool { return n.digits == 4 && n.value >= 1300 && n.value < 2700 }

// numbersOf yields the numbers of a text in any script, those of addresses left
// out.
func numbersOf(s string) func(func(number) bool) {
	if strings.IndexByte(s, '@') >= 0 {
		words := strings.Fields(s)
		words = slices.DeleteFunc(words, func(w string) bool { return strings.IndexByte(w, '@') >= 0 && w[0] != '<' })
		s = strings.Join(words, " ")
	}
	return func(yield func(number) bool) {
		angle, n := false, number{}
		for i, c := range s {
			digit := -1
			if !angle && (c >= '0' && c <= '9' || c >= 0x660 && unicode.IsDigit(c)) {
				digit = digitOf(c)
			}
			switch {
			case digit >= 0:
				n.value, n.digits = n.value*10+digit, n.digits+1
				if n.digits > 9 {
					n.value = 0
				}
				continue
			case n.digits > 0:
				n.clock = n.digits <= 2 && (c == ':' || c == 'h' || c == '.') && startsTwoDigits(s[i+1:])
				if !yield(n) {
					return
				}
				n = number{}
			}
			switch c {
			case '<':
				angle = true
			case '>':
				angle = false
			}
		}
		if n.digits > 0 {
			yield(n)
		}
	}
}

// digitOf is the value of a decimal digit of any script: they stand in rows of
// ten that begin where the row before ends.
func digitOf(c rune) int {
	if c < 0x80 {
		return int(c - '0')
	}
	zero := c
	for zero > c-9 && unicode.IsDigit(zero-1) {
		zero--
	}
	return int(c - zero)
}

// startsTwoDigits says whether a text begins with the minutes of a time.
func startsTwoDigits(s string) bool {
	n := 0
	for _, c := range s {
		if !unicode.IsDigit(c) {
			break
		}
		n++
	}
	return n == 2
}
