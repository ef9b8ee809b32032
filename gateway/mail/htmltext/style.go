package htmltext

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

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

// style is what an element hands down to its content.
type style struct {
	em        float32
	indent    float32
	spacing   float32
	ink       colour
	ground    colour
	picture   bool // the ground is an image: its colour isn't known
	invisible bool
	blanks    bool
	pale      bool // ink is a page's own choice
}

// box is what the declarations say of one element.
type box struct {
	parent                                   *style
	style                                    style
	display                                  uint8
	opacity                                  float32
	height, maxHeight, width, maxWidth, line float32
	left, top, right, bottom                 float32
	marginLeft, marginTop, marginBottom      float32
	cuts, placed, clip, clipPath, shrunk     bool
	unlisted, unframed, msoHidden, unseen    bool
}

// The kinds of display that matter.
const (
	displayUnset uint8 = iota
	displayNone
	displayInline
	displayBlock
	displayOther
)

func newBox(parent *style) box {
	return box{parent: parent, style: *parent, opacity: 1, height: unset, maxHeight: unset, width: unset, maxWidth: unset, line: unset,
		left: unset, top: unset, right: unset, bottom: unset, marginLeft: unset, marginTop: unset, marginBottom: unset}
}

// apply takes one declaration.
func (b *box) apply(d declaration) {
	v := d.value
	if is(v, "inherit") || is(v, "unset") || is(v, "revert") {
		return
	}
	switch d.prop {
	case propDisplay:
		b.display = displayOf(v)
	case propVisibility:
		b.style.invisible = is(v, "hidden") || is(v, "collapse")
	case propOpacity:
		setLength(&b.opacity, v, 1, 1)
	case propFilter:
		b.filter(v)
	case propFontSize:
		b.fontSize(v)
	case propFont:
		b.font(v)
	case propColor:
		b.ink(v)
	case propBackground, propBackgroundColor, propBackgroundImage:
		b.background(v, d.prop)
	case propHeight:
		b.length(&b.height, v)
	case propMaxHeight:
		b.length(&b.maxHeight, v)
	case propWidth:
		b.length(&b.width, v)
	case propMaxWidth:
		b.length(&b.maxWidth, v)
	case propLineHeight:
		setLength(&b.line, v, b.style.em, b.style.em)
	case propOverflow:
		b.cuts = !hasFold(v, "visible")
	case propWhiteSpace:
		b.style.blanks = hasFold(v, "pre")
	case propListStyle:
		b.unlisted = hasFold(v, "none")
	case propBorder:
		b.unframed = hasFold(v, "none") || v[0] == '0'
	case propMsoHide:
		b.msoHidden = is(v, "all")
	case propContentVisibility:
		b.unseen = is(v, "hidden")
	default:
		b.place(d.prop, v)
	}
}

// place takes a declaration of where an element stands.
func (b *box) place(prop property, v []byte) {
	switch prop {
	case propPosition:
		b.placed = is(v, "absolute") || is(v, "fixed")
	case propLeft:
		b.length(&b.left, v)
	case propTop:
		b.length(&b.top, v)
	case propRight:
		b.length(&b.right, v)
	case propBottom:
		b.length(&b.bottom, v)
	case propMarginLeft:
		b.length(&b.marginLeft, v)
	case propMarginTop:
		b.length(&b.marginTop, v)
	case propMarginBottom:
		b.length(&b.marginBottom, v)
	case propMargin:
		b.margin(v)
	case propTextIndent:
		b.style.indent = 0
		b.length(&b.style.indent, v)
	case propLetterSpacing:
		b.style.spacing = 0
		setLength(&b.style.spacing, v, b.style.em, 0)
	case propClip:
		b.clip = clipsAll(v)
	case propClipPath:
		b.clipPath = clipsPath(v)
	case propTransform:
		b.shrunk = movesAway(v)
	}
}

func displayOf(v []byte) uint8 {
	switch {
	case is(v, "none"):
		return displayNone
	case is(v, "inline"):
		return displayInline
	case is(v, "block") || is(v, "flex") || is(v, "grid") || is(v, "list-item") || is(v, "table") || is(v, "table-row"):
		return displayBlock
	}
	return displayOther
}

// length sets a length; percentages are of what surrounds, which isn't known:
// only those of nothing count.
func (b *box) length(to *float32, v []byte) { setLength(to, v, b.style.em, pageWidth) }

func setLength(to *float32, v []byte, em, whole float32) {
	first, _ := word(v)
	if x, ok := parseLength(first, em, whole); ok {
		*to = x
	} else if to != nil && (is(first, "auto") || is(first, "none")) {
		*to = unset
	}
}

func (b *box) filter(v []byte) {
	if i := bytes.Index(lower(bytes.Clone(v)), []byte("opacity")); i >= 0 {
		arg := bytes.TrimLeft(v[i+len("opacity"):], "(= ")
		n := 0
		for n < len(arg) && (arg[n] >= '0' && arg[n] <= '9' || arg[n] == '.' || arg[n] == '%') {
			n++
		}
		setLength(&b.opacity, arg[:n], 1, 1)
	}
}

func (b *box) fontSize(v []byte) {
	parent := b.parent.em
	switch {
	case is(v, "smaller"):
		b.style.em = parent / 1.2
	case is(v, "larger"):
		b.style.em = parent * 1.2
	case hasFold(v, "small") || hasFold(v, "large") || is(v, "medium") || is(v, "initial"):
		b.style.em = defaultSize
	default:
		if x, ok := parseLength(v, parent, parent); ok && x >= 0 {
			b.style.em = x
		}
	}
}

// font takes the size out of the shorthand: the first length in it.
func (b *box) font(v []byte) {
	for len(v) > 0 {
		var w []byte
		w, v = word(v)
		if len(w) > 0 && (w[0] >= '0' && w[0] <= '9' || w[0] == '.') && !(len(w) == 3 && w[1] == '0' && w[2] == '0') {
			b.fontSize(w)
			return
		}
	}
}

func (b *box) ink(v []byte) {
	if is(v, "initial") {
		b.style.ink = black
	} else if c, ok := parseColour(v); ok {
		b.style.ink, b.style.pale = c, true
	}
}

func (b *box) background(v []byte, prop property) {
	if hasFold(v, "url(") || hasFold(v, "gradient(") {
		b.style.picture = true
	}
	if prop == propBackgroundImage {
		if is(v, "none") {
			b.style.picture = b.parent.picture
		}
		return
	}
	for len(v) > 0 {
		var w []byte
		w, v = word(v)
		if c, ok := parseColour(w); ok {
			b.paint(c)
			return
		}
	}
}

// paint lays a colour over the ground.
func (b *box) paint(c colour) {
	if c>>24 == 0 {
		return
	}
	if c>>24 == 0xff && b.style.picture == b.parent.picture {
		b.style.picture = false
	}
	b.style.ground = c.over(b.parent.ground)
}

func (b *box) margin(v []byte) {
	var m [4]float32
	n := 0
	for n < 4 && len(v) > 0 {
		var w []byte
		if w, v = word(v); len(w) == 0 {
			continue
		}
		m[n] = unset
		setLength(&m[n], w, b.style.em, pageWidth)
		n++
	}
	switch n {
	case 1:
		m = [4]float32{m[0], m[0], m[0], m[0]}
	case 2:
		m = [4]float32{m[0], m[1], m[0], m[1]}
	case 3:
		m[3] = m[1]
	}
	b.marginTop, b.marginBottom, b.marginLeft = m[0], m[2], m[3]
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

// attributes takes what an element's attributes say, weaker than any sheet.
func (b *box) attributes(p *Page, n *node) {
	for _, a := range p.attrs[n.attr : n.attr+int32(n.attrCount)] {
		v := trim(p.chars[a.off : a.off+a.size])
		switch a.key {
		case attrHidden:
			b.display = displayNone
		case attrBgcolor:
			if c, ok := legacyColour(v); ok {
				b.paint(c | 0xff000000)
			}
		case attrBackground:
			b.style.picture = b.style.picture || len(v) > 0
		case attrColor, attrText:
			if c, ok := legacyColour(v); ok && (n.tag == atom.Font || n.tag == atom.Body) {
				b.style.ink, b.style.pale = c|0xff000000, true
			}
		}
	}
}

// legacyColour reads "fff" without a "#", too.
func legacyColour(v []byte) (colour, bool) {
	if c, ok := parseColour(v); ok {
		return c, true
	}
	return parseHex(v)
}
