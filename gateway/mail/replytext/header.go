package replytext

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// headerBlock says whether the lines at i are the header of a quoted mail: by
// the words of many languages, or by their form.
func (l *lines) headerBlock(i int) bool {
	label, _, ok := cutLabel(l.plain[i])
	if !ok || l.looks >= maxCloseLook {
		return false
	}
	first := fieldWords(label)
	if first == 0 && !l.labelled(i+1) {
		return false
	}
	l.looks++
	if first == fieldFrom || first == fieldSent || first == fieldSubject || first == fieldTo {
		if l.knownHeader(i, first) {
			return true
		}
	}
	return l.formedHeader(i)
}

// labelled says whether a line is "Word: value".
func (l *lines) labelled(i int) bool {
	if i >= len(l.plain) {
		return false
	}
	_, value, ok := cutLabel(l.plain[i])
	return ok && value != ""
}

// knownHeader says whether the words at i are those of a header: a sender and
// two more fields, of which one tells that it is a mail: its subject, an
// address.
func (l *lines) knownHeader(i int, first fieldWord) bool {
	seen, address := uint(1)<<first, hasAddress(l.plain[i])
	blank, loose, last := 0, 0, first
	for j := i + 1; j < len(l.plain) && j < i+9 && blank < 2 && loose < 2; j++ {
		if l.plain[j] == "" {
			blank++
			continue
		}
		label, _, ok := cutLabel(l.plain[j])
		switch {
		case ok:
			last = fieldWords(label)
			seen |= 1 << last
		case last != fieldTo && last != fieldCc: // whose lists are wrapped
			loose++
			continue
		}
		address = address || blank == 0 && hasAddress(l.plain[j])
	}
	seen &^= 1
	return seen&(1<<fieldFrom) != 0 && bits.OnesCount(seen) >= 3 && (seen&(1<<fieldSubject) != 0 || address)
}

// formedHeader says whether three lines and more are "Word: value", one of them
// with an address and another with a date and time of day, in whatever words.
func (l *lines) formedHeader(i int) bool {
	n, address, date := 0, false, false
	for j := i; j < len(l.plain) && j < i+8 && l.plain[j] != ""; j++ {
		label, value, ok := cutLabel(l.plain[j])
		switch {
		case !ok && n == 0:
			return false
		case !ok:
			continue // wrapped
		case formWords[label]:
			return false
		case hasAddress(value):
			address = true
		case hasClock(value) && hasYear(value):
			date = true
		}
		n++
	}
	return n >= 3 && address && date
}

func hasClock(s string) bool {
	for n := range numbersOf(s) {
		if n.clock {
			return true
		}
	}
	return false
}

// formWords label what people fill in, not what mailers print.
var formWords = map[string]bool{"name": true, "email": true, "e-mail": true, "mail": true, "phone": true, "tel": true, "telephone": true, "mobile": true, "address": true,
	"website": true, "url": true, "web": true, "order": true, "customer": true, "contact": true, "company": true, "http": true, "https": true, "when": true, "where": true, "who": true, "what": true, "zoom": true,
	"telefon": true, "adresse": true, "firma": true, "nom": true, "nombre": true, "téléphone": true, "correo": true}

// maxLabel bounds the label of a field, in octets.
const maxLabel = 60

// cutLabel takes "*From:* value" apart; the label is in lower case.
func cutLabel(line string) (label, value string, ok bool) {
	line = strings.TrimLeft(line, "*|> ")
	i := strings.IndexByte(line[:min(len(line), maxLabel+1)], ':')
	if i <= 0 {
		return "", "", false
	}
	label = strings.ToLower(strings.Trim(line[:i], "* \t"))
	if label == "" || utf8.RuneCountInString(label) > 30 || strings.Count(label, " ") > 3 || strings.ContainsAny(label, "<>@()?!,;0123456789\"/") {
		return "", "", false
	}
	return label, strings.Trim(line[i+1:], "* \t"), true
}
