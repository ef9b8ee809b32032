package htmltext

import (
	"golang.org/x/net/html/atom"

	"postern/gateway/mail/htmltext/css"
)

// style is what an element hands down to its content.
type style struct {
	em        float32
	indent    float32
	spacing   float32
	ink       css.Colour
	ground    css.Colour
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

func newBox(parent *style) box {
	return box{parent: parent, style: *parent, opacity: 1, height: css.Unset, maxHeight: css.Unset, width: css.Unset, maxWidth: css.Unset, line: css.Unset,
		left: css.Unset, top: css.Unset, right: css.Unset, bottom: css.Unset, marginLeft: css.Unset, marginTop: css.Unset, marginBottom: css.Unset}
}

// apply takes one declaration.
func (b *box) apply(d css.Declaration) {
	v := d.Value
	if css.Is(v, "inherit") || css.Is(v, "unset") || css.Is(v, "revert") {
		return
	}
	switch d.Prop {
	case css.PropDisplay:
		b.display = css.DisplayOf(v)
	case css.PropVisibility:
		b.style.invisible = css.Is(v, "hidden") || css.Is(v, "collapse")
	case css.PropOpacity:
		setLength(&b.opacity, v, 1, 1)
	case css.PropFilter:
		b.filter(v)
	case css.PropFontSize:
		b.fontSize(v)
	case css.PropFont:
		b.font(v)
	case css.PropColor:
		b.ink(v)
	case css.PropBackground, css.PropBackgroundColor, css.PropBackgroundImage:
		b.background(v, d.Prop)
	case css.PropHeight:
		b.length(&b.height, v)
	case css.PropMaxHeight:
		b.length(&b.maxHeight, v)
	case css.PropWidth:
		b.length(&b.width, v)
	case css.PropMaxWidth:
		b.length(&b.maxWidth, v)
	case css.PropLineHeight:
		setLength(&b.line, v, b.style.em, b.style.em)
	case css.PropOverflow:
		b.cuts = !css.HasFold(v, "visible")
	case css.PropWhiteSpace:
		b.style.blanks = css.HasFold(v, "pre")
	case css.PropListStyle:
		b.unlisted = css.HasFold(v, "none")
	case css.PropBorder:
		b.unframed = css.HasFold(v, "none") || v[0] == '0'
	case css.PropMsoHide:
		b.msoHidden = css.Is(v, "all")
	case css.PropContentVisibility:
		b.unseen = css.Is(v, "hidden")
	default:
		b.place(d.Prop, v)
	}
}

// place takes a declaration of where an element stands.
func (b *box) place(prop css.Property, v []byte) {
	switch prop {
	case css.PropPosition:
		b.placed = css.Is(v, "absolute") || css.Is(v, "fixed")
	case css.PropLeft:
		b.length(&b.left, v)
	case css.PropTop:
		b.length(&b.top, v)
	case css.PropRight:
		b.length(&b.right, v)
	case css.PropBottom:
		b.length(&b.bottom, v)
	case css.PropMarginLeft:
		b.length(&b.marginLeft, v)
	case css.PropMarginTop:
		b.length(&b.marginTop, v)
	case css.PropMarginBottom:
		b.length(&b.marginBottom, v)
	case css.PropMargin:
		b.margin(v)
	case css.PropTextIndent:
		b.style.indent = 0
		b.length(&b.style.indent, v)
	case css.PropLetterSpacing:
		b.style.spacing = 0
		setLength(&b.style.spacing, v, b.style.em, 0)
	case css.PropClip:
		b.clip = css.ClipsAll(v)
	case css.PropClipPath:
		b.clipPath = css.ClipsPath(v)
	case css.PropTransform:
		b.shrunk = css.MovesAway(v)
	}
}

// length sets a length; percentages are of what surrounds, which isn't known:
// only those of nothing count.
func (b *box) length(to *float32, v []byte) { setLength(to, v, b.style.em, css.PageWidth) }

func setLength(to *float32, v []byte, em, whole float32) {
	first, _ := css.Word(v)
	if x, ok := css.ParseLength(first, em, whole); ok {
		*to = x
	} else if to != nil && (css.Is(first, "auto") || css.Is(first, "none")) {
		*to = css.Unset
	}
}

func (b *box) margin(v []byte) {
	var m [4]float32
	n := 0
	for n < 4 && len(v) > 0 {
		var w []byte
		if w, v = css.Word(v); len(w) == 0 {
			continue
		}
		m[n] = css.Unset
		setLength(&m[n], w, b.style.em, css.PageWidth)
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
		v := css.Trim(p.chars[a.off : a.off+a.size])
		switch a.key {
		case attrHidden, attrPopover:
			b.display = css.DisplayNone
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
func legacyColour(v []byte) (css.Colour, bool) {
	if c, ok := css.ParseColour(v); ok {
		return c, true
	}
	return css.ParseHex(v)
}
