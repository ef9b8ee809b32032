package htmltext

import "bytes"

// maxActive bounds the formatting elements that are opened again, and maxAlike
// those of one kind ("Noah's Ark", HTML 13.2.4.3).
const (
	maxActive = 64
	maxAlike  = 3
)

// activate adds a formatting element to those that are opened again where a
// block closes them.
func (b *builder) activate(i int32) {
	alike, earliest, n := 0, 0, 0
	for k := len(b.active) - 1; k >= 0 && b.active[k] != 0; k-- {
		n++
		if b.alike(b.active[k], i) {
			alike++
			earliest = k
		}
	}
	switch {
	case alike >= maxAlike:
		b.active = append(b.active[:earliest], b.active[earliest+1:]...)
	case n >= maxActive:
		return
	}
	b.active = append(b.active, i)
}

// alike says whether two elements have the same name and attributes.
func (b *builder) alike(i, j int32) bool {
	x, y := &b.nodes[i], &b.nodes[j]
	if x.tag != y.tag || x.attrCount != y.attrCount {
		return false
	}
	for k := range int32(x.attrCount) {
		a, c := b.attrs[x.attr+k], b.attrs[y.attr+k]
		if a.key != c.key || !bytes.Equal(b.chars[a.off:a.off+a.size], b.chars[c.off:c.off+c.size]) {
			return false
		}
	}
	return true
}

// reopen opens the formatting elements that a block closed, before content.
func (b *builder) reopen() {
	k := len(b.active)
	for k > 0 && b.active[k-1] != 0 && b.nodes[b.active[k-1]].flags&isOpen == 0 {
		k--
	}
	for ; k < len(b.active) && len(b.open) < maxDepth; k++ {
		b.active[k] = b.clone(b.active[k])
	}
}

// clearActive forgets the formatting of a cell that ends.
func (b *builder) clearActive() {
	for len(b.active) > 0 {
		last := b.active[len(b.active)-1]
		b.active = b.active[:len(b.active)-1]
		if last == 0 {
			return
		}
	}
}

func (b *builder) deactivate(i int32) {
	for k := len(b.active) - 1; k >= 0; k-- {
		if b.active[k] == i {
			b.active = append(b.active[:k], b.active[k+1:]...)
			return
		}
	}
}

// deactivateLast forgets the last formatting element of a name that is closed
// already.
func (b *builder) deactivateLast(t tag) {
	for k := len(b.active) - 1; k >= 0 && b.active[k] != 0; k-- {
		if n := &b.nodes[b.active[k]]; n.tag == t {
			if n.flags&isOpen == 0 {
				b.active = append(b.active[:k], b.active[k+1:]...)
			}
			return
		}
	}
}

func (b *builder) replaceActive(old, by int32) {
	for k := len(b.active) - 1; k >= 0 && b.active[k] != 0; k-- {
		if b.active[k] == old {
			b.active[k] = by
		}
	}
}

// closeActive ends an open element that can't hold another of its kind.
func (b *builder) closeActive(t tag) {
	for k := len(b.active) - 1; k >= 0 && b.active[k] != 0; k-- {
		if b.nodes[b.active[k]].tag == t {
			b.endFormatting(t)
			return
		}
	}
}
