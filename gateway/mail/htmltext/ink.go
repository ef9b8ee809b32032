package htmltext

import (
	"bytes"

	"postern/gateway/mail/htmltext/css"
)

func (b *box) filter(v []byte) {
	if i := bytes.Index(css.Lower(bytes.Clone(v)), []byte("opacity")); i >= 0 {
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
	case css.Is(v, "smaller"):
		b.style.em = parent / 1.2
	case css.Is(v, "larger"):
		b.style.em = parent * 1.2
	case css.HasFold(v, "small") || css.HasFold(v, "large") || css.Is(v, "medium") || css.Is(v, "initial"):
		b.style.em = css.DefaultSize
	default:
		if x, ok := css.ParseLength(v, parent, parent); ok && x >= 0 {
			b.style.em = x
		}
	}
}

// font takes the size out of the shorthand: the first length in it.
func (b *box) font(v []byte) {
	for len(v) > 0 {
		var w []byte
		w, v = css.Word(v)
		if len(w) > 0 && (w[0] >= '0' && w[0] <= '9' || w[0] == '.') && !(len(w) == 3 && w[1] == '0' && w[2] == '0') {
			b.fontSize(w)
			return
		}
	}
}

func (b *box) ink(v []byte) {
	if css.Is(v, "initial") {
		b.style.ink = css.Black
	} else if c, ok := css.ParseColour(v); ok {
		b.style.ink = c
	}
}

func (b *box) background(v []byte, prop css.Property) {
	if css.HasFold(v, "url(") || css.HasFold(v, "gradient(") {
		b.style.picture = true
	}
	if prop == css.PropBackgroundImage {
		if css.Is(v, "none") {
			b.style.picture = b.parent.picture
		}
		return
	}
	for len(v) > 0 {
		var w []byte
		w, v = css.Word(v)
		if c, ok := css.ParseColour(w); ok {
			b.paint(c)
			return
		}
	}
}

// paint lays a colour over the ground.
func (b *box) paint(c css.Colour) {
	if c>>24 == 0 {
		return
	}
	if c>>24 == 0xff && b.style.picture == b.parent.picture {
		b.style.picture = false
	}
	b.style.ground = c.Over(b.parent.ground)
}
