package css

import "bytes"

// Property is a CSS property that decides whether and how text is seen.
type Property uint8

// The properties. Those that say the same, such as overflow-x, are one.
const (
	propNone Property = iota
	PropDisplay
	PropVisibility
	PropOpacity
	PropFilter
	PropFontSize
	PropFont
	PropColor
	PropBackground
	PropBackgroundColor
	PropBackgroundImage
	PropHeight
	PropMaxHeight
	PropWidth
	PropMaxWidth
	PropOverflow
	PropPosition
	PropLeft
	PropTop
	PropRight
	PropBottom
	PropMarginLeft
	PropMarginTop
	PropMarginBottom
	PropMargin
	PropTextIndent
	PropLetterSpacing
	PropLineHeight
	PropClip
	PropClipPath
	PropTransform
	PropContentVisibility
	PropWhiteSpace
	PropListStyle
	PropBorder
	PropMsoHide
	PropCustom // "--name"; the value is the whole declaration
)

var properties = map[string]Property{
	"display": PropDisplay, "visibility": PropVisibility, "opacity": PropOpacity, "filter": PropFilter, "font-size": PropFontSize, "font": PropFont,
	"color": PropColor, "background": PropBackground, "background-color": PropBackgroundColor, "background-image": PropBackgroundImage,
	"height": PropHeight, "max-height": PropMaxHeight, "width": PropWidth, "max-width": PropMaxWidth,
	"overflow": PropOverflow, "overflow-y": PropOverflow, "overflow-x": PropOverflow, "position": PropPosition,
	"left": PropLeft, "top": PropTop, "right": PropRight, "bottom": PropBottom, "margin-left": PropMarginLeft, "margin-top": PropMarginTop,
	"margin-bottom": PropMarginBottom, "margin": PropMargin, "text-indent": PropTextIndent, "letter-spacing": PropLetterSpacing, "line-height": PropLineHeight,
	"clip": PropClip, "clip-path": PropClipPath, "-webkit-clip-path": PropClipPath, "transform": PropTransform, "-webkit-transform": PropTransform, "-ms-transform": PropTransform,
	"content-visibility": PropContentVisibility, "white-space": PropWhiteSpace, "list-style": PropListStyle, "list-style-type": PropListStyle,
	"border": PropBorder, "mso-hide": PropMsoHide,
}

// Declaration is "property: value", without the blanks around it.
type Declaration struct {
	Prop      Property
	Important bool // it says !important
	Refers    bool // the value has a var(): it refers to custom properties
	Value     []byte
}

// Declarations calls f for each declaration in b, the inside of a block or a style
// attribute, that is of a Property and has a value. The values are parts of b.
func Declarations(b []byte, f func(Declaration)) {
	if bytes.Contains(b, []byte("/*")) {
		b = DropComments(b)
	}
	if bytes.IndexByte(b, '\\') >= 0 {
		b = UnescapeCSS(b)
	}
	calls := bytes.IndexByte(b, '(') >= 0
	for len(b) > 0 {
		var d []byte
		d, b = cutDeclaration(b)
		i := bytes.IndexByte(d, ':')
		if i < 0 {
			continue
		}
		prop := propertyOf(Trim(d[:i]))
		if prop == propNone {
			continue
		}
		v, important := Trim(d[i+1:]), false
		if j := bytes.LastIndexByte(v, '!'); j >= 0 && Is(Trim(v[j+1:]), "important") {
			v, important = Trim(v[:j]), true
		}
		if prop == PropCustom {
			v = customText(d, important)
		}
		if len(v) > 0 {
			f(Declaration{prop, important, calls && IndexVar(v) >= 0, v})
		}
	}
}

// customText is the declaration of a custom property, its mark of importance
// left out.
func customText(d []byte, important bool) []byte {
	if important {
		d = d[:bytes.LastIndexByte(d, '!')]
	}
	return Trim(d)
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

func propertyOf(name []byte) Property {
	if len(name) > 2 && name[0] == '-' && name[1] == '-' {
		return PropCustom
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

// DropComments returns the text without its comments; one that never ends goes to
// the end.
func DropComments(b []byte) []byte {
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

// UnescapeCSS undoes "\64 isplay" (CSS Syntax 4.3.7).
func UnescapeCSS(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		n, r := i+1, rune(0)
		for ; n < len(b) && n < i+7 && Unhex(b[n]) >= 0; n++ {
			r = r<<4 | rune(Unhex(b[n]))
		}
		if n == i+1 {
			continue // the next octet is itself
		}
		out = append(out, string(r)...)
		if n < len(b) && Blank(b[n]) {
			n++
		}
		i = n - 1
	}
	return out
}

// Unhex is the value of a hexadecimal digit, -1 for any other octet.
func Unhex(c byte) int {
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
