package htmltext

import "bytes"

// property is a CSS property that decides whether and how text is seen.
type property uint8

const (
	propNone property = iota
	propDisplay
	propVisibility
	propOpacity
	propFilter
	propFontSize
	propFont
	propColor
	propBackground
	propBackgroundColor
	propBackgroundImage
	propHeight
	propMaxHeight
	propWidth
	propMaxWidth
	propOverflow
	propPosition
	propLeft
	propTop
	propRight
	propBottom
	propMarginLeft
	propMarginTop
	propMarginBottom
	propMargin
	propTextIndent
	propLetterSpacing
	propLineHeight
	propClip
	propClipPath
	propTransform
	propContentVisibility
	propWhiteSpace
	propListStyle
	propBorder
	propMsoHide
	propCustom // "--name"; the value is the whole declaration
)

var properties = map[string]property{
	"display": propDisplay, "visibility": propVisibility, "opacity": propOpacity, "filter": propFilter, "font-size": propFontSize, "font": propFont,
	"color": propColor, "background": propBackground, "background-color": propBackgroundColor, "background-image": propBackgroundImage,
	"height": propHeight, "max-height": propMaxHeight, "width": propWidth, "max-width": propMaxWidth,
	"overflow": propOverflow, "overflow-y": propOverflow, "overflow-x": propOverflow, "position": propPosition,
	"left": propLeft, "top": propTop, "right": propRight, "bottom": propBottom, "margin-left": propMarginLeft, "margin-top": propMarginTop,
	"margin-bottom": propMarginBottom, "margin": propMargin, "text-indent": propTextIndent, "letter-spacing": propLetterSpacing, "line-height": propLineHeight,
	"clip": propClip, "clip-path": propClipPath, "-webkit-clip-path": propClipPath, "transform": propTransform, "-webkit-transform": propTransform, "-ms-transform": propTransform,
	"content-visibility": propContentVisibility, "white-space": propWhiteSpace, "list-style": propListStyle, "list-style-type": propListStyle,
	"border": propBorder, "mso-hide": propMsoHide,
}

// declaration is "property: value".
type declaration struct {
	prop      property
	important bool
	refers    bool // to custom properties
	value     []byte
}

// declarations calls f for each declaration that matters.
func declarations(b []byte, f func(declaration)) {
	if bytes.Contains(b, []byte("/*")) {
		b = dropComments(b)
	}
	if bytes.IndexByte(b, '\\') >= 0 {
		b = unescapeCSS(b)
	}
	calls := bytes.IndexByte(b, '(') >= 0
	for len(b) > 0 {
		var d []byte
		d, b = cutDeclaration(b)
		i := bytes.IndexByte(d, ':')
		if i < 0 {
			continue
		}
		prop := propertyOf(trim(d[:i]))
		if prop == propNone {
			continue
		}
		v, important := trim(d[i+1:]), false
		if j := bytes.LastIndexByte(v, '!'); j >= 0 && is(trim(v[j+1:]), "important") {
			v, important = trim(v[:j]), true
		}
		if prop == propCustom {
			v = customText(d, important)
		}
		if len(v) > 0 {
			f(declaration{prop, important, calls && indexVar(v) >= 0, v})
		}
	}
}

// customText is the declaration of a custom property, its mark of importance
// left out.
func customText(d []byte, important bool) []byte {
	if important {
		d = d[:bytes.LastIndexByte(d, '!')]
	}
	return trim(d)
}

// cutDeclaration cuts at the first semicolon outside of parentheses and quotes.
func cutDeclaration(b []byte) (d, rest []byte) {
	depth, quote := 0, byte(0)
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == ';' && depth == 0:
			return b[:i], b[i+1:]
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		}
	}
	return b, nil
}

func propertyOf(name []byte) property {
	if len(name) > 2 && name[0] == '-' && name[1] == '-' {
		return propCustom
	}
	var low [32]byte
	if len(name) > len(low) {
		return propNone
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	return properties[string(low[:len(name)])]
}

func dropComments(b []byte) []byte {
	var out []byte
	for {
		i := bytes.Index(b, []byte("/*"))
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		j := bytes.Index(b[i+2:], []byte("*/"))
		if j < 0 {
			return out
		}
		b = b[i+2+j+2:]
	}
}

// unescapeCSS undoes "\64 isplay" (CSS Syntax 4.3.7).
func unescapeCSS(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		n, r := i+1, rune(0)
		for ; n < len(b) && n < i+7 && unhex(b[n]) >= 0; n++ {
			r = r<<4 | rune(unhex(b[n]))
		}
		if n == i+1 {
			continue // the next octet is itself
		}
		out = append(out, string(r)...)
		if n < len(b) && blank(b[n]) {
			n++
		}
		i = n - 1
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}
