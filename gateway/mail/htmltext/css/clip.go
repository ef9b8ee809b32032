package css

import "bytes"

// Sizes, in pixels, from which nobody reads text.
const (
	Unreadable = 2    // font size, and height of a box that cuts
	FarOff     = 200  // to the left or above the page
	FarOut     = 5000 // to the right or below
)

// ClipsAll reports whether a value of clip, such as rect(0,0,0,0), leaves no more to
// see than Unreadable pixels either way.
func ClipsAll(v []byte) bool {
	if !HasFold(v, "rect") {
		return false
	}
	for len(v) > 0 && v[0] != '(' {
		v = v[1:]
	}
	largest, n := float32(0), 0
	for v = bytes.Trim(v, "()"); len(v) > 0; {
		var w []byte
		if w, v = Word(v); len(w) == 0 {
			continue
		}
		x, ok := ParseLength(w, DefaultSize, PageWidth)
		if !ok {
			return false
		}
		largest, n = max(largest, x), n+1
	}
	return n > 0 && largest <= Unreadable
}

// ClipsPath reports whether a value of clip-path leaves nothing to see: an inset from
// half on, a circle or an ellipse without a radius, a polygon without an area.
func ClipsPath(v []byte) bool {
	name, arg, _ := bytes.Cut(bytes.TrimRight(v, ") "), []byte("("))
	first, _ := Word(arg)
	switch {
	case Is(name, "inset"):
		x, ok := ParseLength(first, DefaultSize, 1)
		return ok && len(first) > 0 && first[len(first)-1] == '%' && x >= 0.5
	case Is(name, "circle"), Is(name, "ellipse"):
		x, ok := ParseLength(first, DefaultSize, PageWidth)
		return ok && x <= Unreadable
	case Is(name, "polygon"):
		return !bytes.ContainsAny(arg, "123456789")
	}
	return false
}

// MovesAway reports whether a transform makes an element vanish: scaled to nothing,
// or moved off the page.
func MovesAway(v []byte) bool {
	name, arg, _ := bytes.Cut(bytes.TrimRight(v, ") "), []byte("("))
	first, rest := Word(arg)
	x, ok := ParseLength(first, DefaultSize, PageWidth)
	if HasFold(name, "scale") {
		return ok && x > -0.05 && x < 0.05
	}
	y, also := ParseLength(Trim(rest), DefaultSize, PageWidth)
	away := func(x float32) bool { return x < -2*FarOff || x > FarOut }
	return HasFold(name, "translate") && (ok && away(x) || also && away(y))
}
