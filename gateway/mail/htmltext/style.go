package htmltext

import "golang.org/x/net/html/atom"

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
	custom    int32 // the custom properties in force, in Page.customs
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

// attributes takes what an element's attributes say, weaker than any sheet.
func (b *box) attributes(p *Page, n *node) {
	for _, a := range p.attrs[n.attr : n.attr+int32(n.attrCount)] {
		v := trim(p.chars[a.off : a.off+a.size])
		switch a.key {
		case attrHidden, attrPopover:
			b.display = displayNone
		case attrBgcolor:
			if c, ok := legacyColour(v); ok {
				b.paint(c | 0xff000000)
			}
		case attrBackground:
			b.style.picture = b.style.picture || len(v) > 0
		case attrColor, attrText:
			if c, ok := legacyColour(v); ok && (n.tag == atom.Font || n.tag == atom.Body) {
				b.style.ink = c | 0xff000000
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
