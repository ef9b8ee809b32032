package htmltext

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
	"postern/gateway/text"
)

// Hidden is a stretch of text that a mail hides, without visible text in it.
type Hidden struct {
	Text    string // at most 4 KiB of it, blanks collapsed
	Why     Reason
	Letters int // and digits
	// Preheader says that nothing visible precedes the text, in the page or in a
	// quoted mail: mailing services put there what a list of mails shows.
	Preheader bool
	// Elsewhere says that a phone or a dark screen shows it.
	Elsewhere bool
}

// maxSample bounds the text of a Hidden, in octets.
const maxSample = 4 << 10

// Hidden tells what text is not in the outputs, but for what no mail shows
// (scripts, styles).
func (p *Page) Hidden() []Hidden {
	h := hiddenWalk{Page: p}
	h.walk(0, Shown, false)
	h.flush()
	return h.found
}

type hiddenWalk struct {
	*Page
	found []Hidden
	now   Hidden
	text  []byte
	seen  bool // visible text, in this mail
}

func (h *hiddenWalk) walk(i int32, why Reason, phone bool) {
	for c := range h.children(i) {
		n := &h.nodes[c]
		w, on := why, phone
		if w == Shown {
			w, on = n.why, n.flags&elsewhere != 0
		}
		switch {
		case w == Unrendered:
		case n.tag == textTag:
			h.take(h.Page.text(n), w, on)
		case n.tag == atom.Blockquote || h.quotingOf(n) != ownWords:
			h.flush()
			h.seen = false
			h.walk(c, w, on)
			h.seen = true
		default:
			h.walk(c, w, on)
		}
	}
}

func (h *hiddenWalk) take(s []byte, why Reason, phone bool) {
	letters := countLetters(s)
	if letters == 0 {
		return
	}
	if why == Shown || phone != h.now.Elsewhere && h.now.Letters > 0 {
		h.flush()
	}
	if why == Shown {
		h.seen = true
		return
	}
	if h.now.Letters == 0 {
		h.now = Hidden{Why: why, Preheader: !h.seen, Elsewhere: phone}
	}
	h.now.Letters += letters
	if len(h.text) < maxSample {
		h.text = append(append(h.text, ' '), bytes.Join(bytes.Fields(s), []byte(" "))...)
	}
}

func (h *hiddenWalk) flush() {
	if h.now.Letters > 0 {
		h.now.Text = text.Clip(string(bytes.TrimSpace(h.text)), maxSample)
		h.found = append(h.found, h.now)
	}
	h.now, h.text = Hidden{}, h.text[:0]
}

// Characters is everything that stands in the visible tree, as it stands there:
// blanks, invisible characters and all.
func (p *Page) Characters() string {
	var out []byte
	var walk func(int32)
	walk = func(i int32) {
		for c := range p.children(i) {
			n := &p.nodes[c]
			switch {
			case n.why != Shown:
				continue
			case n.tag == textTag:
				out = append(out, p.text(n)...)
			case n.tag == atom.Img && n.flags&spacer == 0, n.tag == atom.Image:
				out = append(out, p.get(n, attrAlt)...)
			case n.tag == atom.Input && showsValue(p.get(n, attrType)):
				out = append(out, p.get(n, attrValue)...)
			}
			walk(c)
		}
	}
	walk(0)
	return string(out)
}

// Overrides is the first text that is shown against its direction, by an
// element made for that; "" for none.
func (p *Page) Overrides() string {
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.tag == atom.Bdo && n.why == Shown && css.Is(p.get(n, attrDir), "rtl") {
			for c := range p.children(int32(i)) {
				if t := p.text(&p.nodes[c]); p.nodes[c].tag == textTag && bytes.ContainsFunc(t, unicode.IsLetter) {
					return text.Clip(string(t), maxSample)
				}
			}
		}
	}
	return ""
}

// countLetters counts letters and digits.
func countLetters(s []byte) (n int) {
	for len(s) > 0 {
		c, size := utf8.DecodeRune(s)
		s = s[size:]
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			n++
		}
	}
	return n
}
