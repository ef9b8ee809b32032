package signals

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"postern/gateway/mail/header"
)

// Letters of other scripts that look like Latin ones.
const (
	likeCyrillic = "асеорхуіјѕһԛԝԁӏАВЕКМНОРСТХУІЈЅҮԌԜԚ"
	likeGreek    = "αορνιυκτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
	likeArmenian = "օոսհցՕՍԼ"
	// Latin letters that look like Cyrillic ones.
	likeLatin = "aceopxyijsABEKMHOPCTXYISJ"
)

// disguised says whether a word mixes Latin letters with ones of another script
// so that a reader takes it for a word of one.
func disguised(word string) bool {
	latin, foreign, latinAlike, foreignAlike := 0, 0, 0, 0
	for _, c := range word {
		switch {
		case unicode.Is(unicode.Latin, c):
			latin++
			if strings.ContainsRune(likeLatin, c) {
				latinAlike++
			}
		case unicode.In(c, unicode.Cyrillic, unicode.Greek, unicode.Armenian):
			foreign++
			if looksLatin(c) {
				foreignAlike++
			}
		}
	}
	return latin > 0 && foreign > 0 && (foreign == foreignAlike || latin == latinAlike)
}

// alike says whether a word is wholly of another script's letters that look
// Latin.
func alike(word string) bool {
	n := 0
	for _, c := range word {
		if unicode.IsLetter(c) {
			if !looksLatin(c) {
				return false
			}
			n++
		}
	}
	return n > 1
}

func looksLatin(c rune) bool { return strings.ContainsRune(likeCyrillic+likeGreek+likeArmenian, c) }

// scriptsOf names the letters of a word that aren't Latin.
func scriptsOf(word string) string {
	var out []string
	for _, c := range word {
		if looksLatin(c) && len(out) < 5 {
			out = append(out, fmt.Sprintf("U+%04X", c))
		}
	}
	return "(" + strings.Join(out, " ") + ")"
}

func unicodeDomain(d string) string {
	if u, err := idna.ToUnicode(d); err == nil {
		return u
	}
	return d
}

// sender looks in an author's name and domain for letters of one script that look
// like those of another.
func (s *list) sender(a header.Address) {
	_, domain, _ := strings.Cut(a.Address, "@")
	for w := range strings.FieldsFuncSeq(a.Name, func(c rune) bool { return !unicode.IsLetter(c) }) {
		if disguised(w) {
			s.add(MixedScriptSender, "name: "+excerpt(w)+" "+scriptsOf(w))
		}
	}
	for label := range strings.SplitSeq(unicodeDomain(domain), ".") {
		if disguised(label) || alike(label) && !strings.HasSuffix(domain, label) {
			s.add(MixedScriptSender, "domain: "+excerpt(label)+" "+scriptsOf(label))
		}
	}
}
