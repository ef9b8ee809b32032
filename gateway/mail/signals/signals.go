// Package signals tells what a mail hides from its reader or disguises: words that
// no reader sees, characters without width, letters of one script that pose as
// another's. It accuses nobody and decides nothing. What honest mail does, too (a
// preheader, padding, a brand of two scripts), is no signal; what can't be read
// is none either.
package signals

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/gateway/mail/header"
	"postern/gateway/mail/htmltext"
	"postern/gateway/text"
)

// Signal is a fact about what a mail hides or disguises. It accuses nobody:
// what to make of it is the reader's business.
type Signal struct {
	Kind   Kind
	Detail string // in words, with a piece of what was found
}

// Kind is what was found.
type Kind string

// The kinds of signals.
const (
	// HiddenText is text of the HTML that no reader sees and that is none of what
	// mailing services hide: a preheader, what a phone shows instead, an id, a
	// repetition of what is seen.
	HiddenText Kind = "hidden-text"
	// InvisibleCharacters are Unicode tags, or characters without width in an
	// order that tells something, or many of them within words.
	InvisibleCharacters Kind = "invisible-characters"
	// BidiOverride is text that is shown against the direction of its characters.
	BidiOverride Kind = "bidi-override"
	// TextHTMLDiffer says that the text and the HTML of a mail are not the same mail.
	TextHTMLDiffer Kind = "text-html-differ"
	// MixedScriptSender is a sender's name or domain with letters of one script
	// that look like those of another.
	MixedScriptSender Kind = "mixed-script-sender"
)

// Mail is what is looked at.
type Mail struct {
	Text, HTML string
	Same       bool // its sender says that Text and HTML are the same mail
	Subject    string
	FileNames  []string         // of the attachments
	Senders    []header.Address // of From and Reply-To
}

// Of looks for what the mail hides or disguises, at most maxSignals times. It reads
// the HTML, which costs about what html.Parse does.
func Of(m Mail) []Signal {
	s := list{found: []Signal{}}
	if m.HTML != "" {
		page := htmltext.Read(m.HTML)
		words := page.Text()
		s.hiddenText(page.Hidden(), words)
		s.characters("html", page.Characters())
		if o := page.Overrides(); o != "" {
			s.add(BidiOverride, "html: "+excerpt(o))
		}
		if m.Same {
			s.differ(m.Text, words)
		}
	}
	s.characters("text", m.Text)
	s.characters("subject", m.Subject)
	for _, name := range m.FileNames {
		s.characters("an attachment's name", name)
	}
	for _, a := range m.Senders {
		s.characters("the sender's name", a.Name)
		s.sender(a)
	}
	return s.found
}

// maxSignals bounds the list of one mail.
const maxSignals = 20

type list struct{ found []Signal }

func (s *list) add(kind Kind, detail string) {
	if len(s.found) < maxSignals && !slices.Contains(s.found, Signal{kind, detail}) {
		s.found = append(s.found, Signal{kind, detail})
	}
}

// Hidden text within these bounds is what mailing services hide in honest mail,
// and no signal.
const (
	preheaderLetters = 300 // letters of a preheader: hidden text before anything visible
	fewWords         = 5   // fewer words are an id, or the label of an icon
	repeatedShare    = 60  // percent of its words that the visible text has too: a repetition for another screen
)

// hiddenText adds a signal for each hidden text that is beyond these bounds.
func (s *list) hiddenText(hidden []htmltext.Hidden, visible string) {
	var seen map[string]bool
	for _, h := range hidden {
		if h.Elsewhere || h.Preheader && h.Letters <= preheaderLetters {
			continue
		}
		words := wordSet(h.Text)
		if len(words) < fewWords && (text.IsASCII(h.Text) || h.Letters < 10*fewWords) { // other scripts may have no blanks
			continue
		}
		if seen == nil {
			seen = wordSet(visible)
		}
		if share(words, seen) >= repeatedShare {
			continue
		}
		s.add(HiddenText, fmt.Sprintf("%s, %d letters: %s", h.Why, h.Letters, excerpt(h.Text)))
	}
}

// When a text part and the HTML beside it count as different mails.
const (
	differTextWords = 40 // a text of fewer words is not compared: "open this in a browser"
	differHTMLWords = 20 // nor is HTML of fewer words: the mail is an image
	differShare     = 25 // they differ where the HTML has fewer percent of the text's words
)

// differ compares the words of the text part with those that the HTML shows.
func (s *list) differ(plain, html string) {
	said := wordSet(plain)
	if len(said) < differTextWords {
		return
	}
	shown := wordSet(html)
	if len(shown) < differHTMLWords {
		return
	}
	if n := share(said, shown); n < differShare {
		s.add(TextHTMLDiffer, fmt.Sprintf("the HTML has %d %% of the text's words: %s", n, excerpt(plain)))
	}
}

// wordSet is the words of a text, those of its links left out.
func wordSet(s string) map[string]bool {
	const most = 20000
	set := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		if strings.Contains(w, "://") || len(set) >= most {
			continue
		}
		w = strings.ToLower(strings.TrimFunc(w, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }))
		if utf8.RuneCountInString(w) > 2 {
			set[w] = true
		}
	}
	return set
}

// share is how many percent of a are in b.
func share(a, b map[string]bool) int {
	n := 0
	for w := range a {
		if b[w] {
			n++
		}
	}
	return 100 * n / max(len(a), 1)
}

// excerpt is a piece of a text as a line can show it.
func excerpt(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
	return text.Clip(s, 120)
}
