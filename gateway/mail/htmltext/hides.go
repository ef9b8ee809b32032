package htmltext

import "bytes"

// Reason is why text of a mail is not seen.
type Reason uint8

// The ways in which mails hide text.
const (
	Shown      Reason = iota
	Unrendered        // never shown: scripts, styles, templates
	NotDisplayed
	Invisible
	Transparent
	NoSize
	SameColour
	OffPage
	Clipped
)

var reasonWords = [...]string{"shown", "never rendered", "display:none", "visibility:hidden", "transparent", "of no size", "colour on the same colour", "outside the page", "clipped"}

// String names the way in a few words.
func (r Reason) String() string { return reasonWords[r] }

// Sizes, in pixels, from which nobody reads text.
const (
	unreadable = 2    // font size, and height of a box that cuts
	farOff     = 200  // to the left or above the page
	farOut     = 5000 // to the right or below
)

// hides is why nothing of an element is seen, whatever its content says.
func (b *box) hides(inline bool) Reason {
	cutsAt := float32(0)
	if b.cuts {
		cutsAt = 1
	}
	none := func(x float32) bool { return x >= 0 && x <= cutsAt }
	switch {
	case b.display == displayNone || b.msoHidden || b.unseen:
		return NotDisplayed
	case b.opacity >= 0 && b.opacity <= 0.02:
		return Transparent
	case none(b.maxHeight) || b.cuts && (none(b.maxWidth) || !inline && (none(b.height) || none(b.width) || b.line == 0)):
		return NoSize
	case b.clip && b.placed || b.clipPath:
		return Clipped
	case b.shrunk || b.away():
		return OffPage
	}
	return Shown
}

// away says whether an element stands outside the page.
func (b *box) away() bool {
	off := func(x float32) bool { return x != unset && (x <= -farOff || x >= farOut) }
	return off(b.left) || off(b.top) || b.placed && (off(b.right) || off(b.bottom)) ||
		b.marginLeft != unset && b.marginLeft <= -farOff || b.marginTop != unset && b.marginTop <= -4*farOff
}

// hidesText is why the text directly in an element isn't seen.
func (s *style) hidesText() Reason {
	switch {
	case s.invisible:
		return Invisible
	case s.em <= unreadable || s.spacing <= -s.em/2:
		return NoSize
	case s.indent <= -farOff || s.indent >= farOut:
		return OffPage
	case s.ink>>24 <= 5:
		return SameColour
	case !s.picture && near(s.ink.over(s.ground), s.ground):
		return SameColour
	}
	return Shown
}

// clipsAll knows rect(0,0,0,0) and its like.
func clipsAll(v []byte) bool {
	if !hasFold(v, "rect") {
		return false
	}
	for len(v) > 0 && v[0] != '(' {
		v = v[1:]
	}
	largest, n := float32(0), 0
	for v = bytes.Trim(v, "()"); len(v) > 0; {
		var w []byte
		if w, v = word(v); len(w) == 0 {
			continue
		}
		x, ok := parseLength(w, defaultSize, pageWidth)
		if !ok {
			return false
		}
		largest, n = max(largest, x), n+1
	}
	return n > 0 && largest <= unreadable
}

func clipsPath(v []byte) bool {
	name, arg, _ := bytes.Cut(bytes.TrimRight(v, ") "), []byte("("))
	first, _ := word(arg)
	switch {
	case is(name, "inset"):
		x, ok := parseLength(first, defaultSize, 1)
		return ok && len(first) > 0 && first[len(first)-1] == '%' && x >= 0.5
	case is(name, "circle"), is(name, "ellipse"):
		x, ok := parseLength(first, defaultSize, pageWidth)
		return ok && x <= unreadable
	case is(name, "polygon"):
		return !bytes.ContainsAny(arg, "123456789")
	}
	return false
}

// movesAway knows transforms that make an element vanish.
func movesAway(v []byte) bool {
	name, arg, _ := bytes.Cut(bytes.TrimRight(v, ") "), []byte("("))
	first, rest := word(arg)
	x, ok := parseLength(first, defaultSize, pageWidth)
	if hasFold(name, "scale") {
		return ok && x > -0.05 && x < 0.05
	}
	y, also := parseLength(trim(rest), defaultSize, pageWidth)
	away := func(x float32) bool { return x < -2*farOff || x > farOut }
	return hasFold(name, "translate") && (ok && away(x) || also && away(y))
}
