package htmltext

import "bytes"

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
		b.style.ink = c
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
