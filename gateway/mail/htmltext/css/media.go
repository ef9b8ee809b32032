package css

import "bytes"

// PageWidth is the width, in pixels, that media queries are asked for.
const PageWidth = 1000

// AtRuleApplies reports whether the rules in the block of an at-rule hold, by its
// head, "@media …".
func AtRuleApplies(head []byte) bool {
	name, rest := Word(head[1:])
	switch {
	case Is(name, "media"):
		return MediaApplies(rest)
	case Is(name, "supports"), Is(name, "layer"):
		return true
	}
	return false
}

// MediaApplies reports whether one of the media queries, or an empty list of them, is
// true of a mail reader's window on a screen.
func MediaApplies(queries []byte) bool {
	if len(Trim(queries)) == 0 {
		return true
	}
	for q := range bytes.SplitSeq(queries, []byte(",")) {
		if queryApplies(Trim(q)) {
			return true
		}
	}
	return false
}

func queryApplies(q []byte) bool {
	for len(q) > 0 {
		var w []byte
		w, q = Word(q)
		switch {
		case len(w) == 0 || Is(w, "and") || Is(w, "only") || Is(w, "screen") || Is(w, "all"):
		case w[0] == '(':
			name, value, _ := bytes.Cut(bytes.Trim(w, "()"), []byte(":"))
			px, ok := ParseLength(Trim(value), DefaultSize, PageWidth)
			switch name = Trim(name); {
			case ok && Is(name, "min-width") && px <= PageWidth:
			case ok && Is(name, "max-width") && px >= PageWidth:
			default:
				return false
			}
		default:
			return false
		}
	}
	return true
}
