package css

import "strconv"

// Colour is 0xAARRGGBB; an alpha of ff is opaque.
type Colour uint32

// Colours that a page begins with.
const (
	White       Colour = 0xffffffff
	Black       Colour = 0xff000000
	LinkBlue    Colour = 0xff0000ee
	transparent Colour = 0
)

// Near reports whether text of one colour can't be read on the other; both opaque.
func Near(a, b Colour) bool {
	const close = 17 // of 255: a reader sees no difference
	for shift := 0; shift < 24; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		if d > close || d < -close {
			return false
		}
	}
	return true
}

// Over is what is seen of a colour that lies over an opaque one.
func (c Colour) Over(ground Colour) Colour {
	alpha := uint32(c >> 24)
	out := uint32(0xff)
	for shift := 16; shift >= 0; shift -= 8 {
		f, g := uint32(c)>>shift&0xff, uint32(ground)>>shift&0xff
		out = out<<8 | (f*alpha+g*(255-alpha))/255
	}
	return Colour(out)
}

// ParseColour reads a CSS colour: a name, #hex, rgb() or hsl(); false for what is
// none.
func ParseColour(v []byte) (Colour, bool) {
	switch {
	case len(v) == 0 || len(v) > 64:
		return 0, false
	case v[0] == '#':
		return ParseHex(v[1:])
	case HasFold(v, "rgb"):
		return parseFunction(v, func(a [4]float32) Colour { return rgb(a[0], a[1], a[2], a[3]) }, 255)
	case HasFold(v, "hsl"):
		return parseFunction(v, func(a [4]float32) Colour { return hsl(a[0], a[1], a[2], a[3]) }, 1)
	case Is(v, "transparent"):
		return transparent, true
	}
	var low [24]byte
	if len(v) > len(low) {
		return 0, false
	}
	for i, c := range v {
		low[i] = c | 0x20
	}
	c, ok := colourNames[string(low[:len(v)])]
	return c | 0xff000000, ok
}

// ParseHex reads RGB, RGBA, RRGGBB and RRGGBBAA, without the "#"; false for what is
// none.
func ParseHex(v []byte) (Colour, bool) {
	var d [8]uint32
	if len(v) > len(d) {
		return 0, false
	}
	for i, c := range v {
		x := Unhex(c)
		if x < 0 {
			return 0, false
		}
		d[i] = uint32(x)
	}
	alpha := uint32(0xff)
	switch len(v) {
	case 4:
		alpha = d[3] * 17
		fallthrough
	case 3:
		return Colour(alpha<<24 | d[0]*17<<16 | d[1]*17<<8 | d[2]*17), true
	case 8:
		alpha = d[6]<<4 | d[7]
		fallthrough
	case 6:
		return Colour(alpha<<24 | d[0]<<20 | d[1]<<16 | d[2]<<12 | d[3]<<8 | d[4]<<4 | d[5]), true
	}
	return 0, false
}

// parseFunction reads the numbers of rgb() and hsl(); whole is what 100 % is.
func parseFunction(v []byte, make func([4]float32) Colour, whole float32) (Colour, bool) {
	a, n := [4]float32{3: 1}, 0
	for i := 0; i < len(v) && n < 4; {
		c := v[i]
		if !(c >= '0' && c <= '9' || c == '.' || c == '-') {
			i++
			continue
		}
		j := i + 1
		for j < len(v) && (v[j] >= '0' && v[j] <= '9' || v[j] == '.') {
			j++
		}
		f, err := strconv.ParseFloat(string(v[i:j]), 32)
		if err != nil {
			return 0, false
		}
		a[n] = float32(f)
		if j < len(v) && v[j] == '%' {
			a[n] /= 100
			if n < 3 {
				a[n] *= whole
			}
		}
		n++
		i = j
	}
	return make(a), n >= 3
}

func rgb(r, g, b, alpha float32) Colour {
	octet := func(x float32) Colour { return Colour(min(max(x, 0), 255)) }
	return octet(alpha*255)<<24 | octet(r)<<16 | octet(g)<<8 | octet(b)
}

// hsl takes degrees and shares of 1.
func hsl(h, s, l, alpha float32) Colour {
	h -= 360 * float32(int(h/360))
	if h < 0 {
		h += 360
	}
	a := s * min(l, 1-l)
	channel := func(n float32) float32 {
		k := n + h/30
		if k >= 12 {
			k -= 12
		}
		return 255 * (l - a*max(-1, min(k-3, 9-k, 1)))
	}
	return rgb(channel(0), channel(8), channel(4), alpha)
}

var colourNames = map[string]Colour{
	"aliceblue": 0xf0f8ff, "antiquewhite": 0xfaebd7, "aqua": 0x00ffff, "aquamarine": 0x7fffd4, "azure": 0xf0ffff, "beige": 0xf5f5dc,
	"bisque": 0xffe4c4, "black": 0x000000, "blanchedalmond": 0xffebcd, "blue": 0x0000ff, "blueviolet": 0x8a2be2, "brown": 0xa52a2a,
	"burlywood": 0xdeb887, "cadetblue": 0x5f9ea0, "chartreuse": 0x7fff00, "chocolate": 0xd2691e, "coral": 0xff7f50, "cornflowerblue": 0x6495ed,
	"cornsilk": 0xfff8dc, "crimson": 0xdc143c, "cyan": 0x00ffff, "darkblue": 0x00008b, "darkcyan": 0x008b8b, "darkgoldenrod": 0xb8860b,
	"darkgray": 0xa9a9a9, "darkgreen": 0x006400, "darkgrey": 0xa9a9a9, "darkkhaki": 0xbdb76b, "darkmagenta": 0x8b008b, "darkolivegreen": 0x556b2f,
	"darkorange": 0xff8c00, "darkorchid": 0x9932cc, "darkred": 0x8b0000, "darksalmon": 0xe9967a, "darkseagreen": 0x8fbc8f, "darkslateblue": 0x483d8b,
	"darkslategray": 0x2f4f4f, "darkslategrey": 0x2f4f4f, "darkturquoise": 0x00ced1, "darkviolet": 0x9400d3, "deeppink": 0xff1493, "deepskyblue": 0x00bfff,
	"dimgray": 0x696969, "dimgrey": 0x696969, "dodgerblue": 0x1e90ff, "firebrick": 0xb22222, "floralwhite": 0xfffaf0, "forestgreen": 0x228b22,
	"fuchsia": 0xff00ff, "gainsboro": 0xdcdcdc, "ghostwhite": 0xf8f8ff, "gold": 0xffd700, "goldenrod": 0xdaa520, "gray": 0x808080,
	"green": 0x008000, "greenyellow": 0xadff2f, "grey": 0x808080, "honeydew": 0xf0fff0, "hotpink": 0xff69b4, "indianred": 0xcd5c5c,
	"indigo": 0x4b0082, "ivory": 0xfffff0, "khaki": 0xf0e68c, "lavender": 0xe6e6fa, "lavenderblush": 0xfff0f5, "lawngreen": 0x7cfc00,
	"lemonchiffon": 0xfffacd, "lightblue": 0xadd8e6, "lightcoral": 0xf08080, "lightcyan": 0xe0ffff, "lightgoldenrodyellow": 0xfafad2, "lightgray": 0xd3d3d3,
	"lightgreen": 0x90ee90, "lightgrey": 0xd3d3d3, "lightpink": 0xffb6c1, "lightsalmon": 0xffa07a, "lightseagreen": 0x20b2aa, "lightskyblue": 0x87cefa,
	"lightslategray": 0x778899, "lightslategrey": 0x778899, "lightsteelblue": 0xb0c4de, "lightyellow": 0xffffe0, "lime": 0x00ff00, "limegreen": 0x32cd32,
	"linen": 0xfaf0e6, "magenta": 0xff00ff, "maroon": 0x800000, "mediumaquamarine": 0x66cdaa, "mediumblue": 0x0000cd, "mediumorchid": 0xba55d3,
	"mediumpurple": 0x9370db, "mediumseagreen": 0x3cb371, "mediumslateblue": 0x7b68ee, "mediumspringgreen": 0x00fa9a, "mediumturquoise": 0x48d1cc, "mediumvioletred": 0xc71585,
	"midnightblue": 0x191970, "mintcream": 0xf5fffa, "mistyrose": 0xffe4e1, "moccasin": 0xffe4b5, "navajowhite": 0xffdead, "navy": 0x000080,
	"oldlace": 0xfdf5e6, "olive": 0x808000, "olivedrab": 0x6b8e23, "orange": 0xffa500, "orangered": 0xff4500, "orchid": 0xda70d6,
	"palegoldenrod": 0xeee8aa, "palegreen": 0x98fb98, "paleturquoise": 0xafeeee, "palevioletred": 0xdb7093, "papayawhip": 0xffefd5, "peachpuff": 0xffdab9,
	"peru": 0xcd853f, "pink": 0xffc0cb, "plum": 0xdda0dd, "powderblue": 0xb0e0e6, "purple": 0x800080, "rebeccapurple": 0x663399,
	"red": 0xff0000, "rosybrown": 0xbc8f8f, "royalblue": 0x4169e1, "saddlebrown": 0x8b4513, "salmon": 0xfa8072, "sandybrown": 0xf4a460,
	"seagreen": 0x2e8b57, "seashell": 0xfff5ee, "sienna": 0xa0522d, "silver": 0xc0c0c0, "skyblue": 0x87ceeb, "slateblue": 0x6a5acd,
	"slategray": 0x708090, "slategrey": 0x708090, "snow": 0xfffafa, "springgreen": 0x00ff7f, "steelblue": 0x4682b4, "tan": 0xd2b48c,
	"teal": 0x008080, "thistle": 0xd8bfd8, "tomato": 0xff6347, "turquoise": 0x40e0d0, "violet": 0xee82ee, "wheat": 0xf5deb3,
	"white": 0xffffff, "whitesmoke": 0xf5f5f5, "yellow": 0xffff00, "yellowgreen": 0x9acd32, "window": 0xffffff, "windowtext": 0x000000,
	"canvas": 0xffffff, "canvastext": 0x000000,
}
