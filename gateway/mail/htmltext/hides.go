package htmltext

import "postern/gateway/mail/htmltext/css"

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

// hides is why nothing of an element is seen, whatever its content says.
func (b *box) hides(inline bool) Reason {
	cutsAt := float32(0)
	if b.cuts {
		cutsAt = 1
	}
	none := func(x float32) bool { return x >= 0 && x <= cutsAt }
	switch {
	case b.display == css.DisplayNone || b.msoHidden || b.unseen:
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
	off := func(x float32) bool { return x != css.Unset && (x <= -css.FarOff || x >= css.FarOut) }
	return off(b.left) || off(b.top) || b.placed && (off(b.right) || off(b.bottom)) ||
		b.marginLeft != css.Unset && b.marginLeft <= -css.FarOff || b.marginTop != css.Unset && b.marginTop <= -4*css.FarOff
}

// hidesText is why the text directly in an element isn't seen.
func (s *style) hidesText() Reason {
	switch {
	case s.invisible:
		return Invisible
	case s.em <= css.Unreadable || s.spacing <= -s.em/2:
		return NoSize
	case s.indent <= -css.FarOff || s.indent >= css.FarOut:
		return OffPage
	case s.ink>>24 <= 5:
		return SameColour
	case !s.picture && css.Near(s.ink.Over(s.ground), s.ground):
		return SameColour
	}
	return Shown
}
