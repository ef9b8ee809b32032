package htmltext

import "bytes"

// pageWidth is the width, in pixels, that media queries are asked for.
const pageWidth = 1000

func atRuleApplies(head []byte) bool {
	name, rest := word(head[1:])
	switch {
	case is(name, "media"):
		return mediaApplies(rest)
	case is(name, "supports"), is(name, "layer"):
		return true
	}
	return false
}

// mediaApplies says whether one of the queries is true of a mail reader's
// window on a screen.
func mediaApplies(queries []byte) bool {
	if len(trim(queries)) == 0 {
		return true
	}
	for q := range bytes.SplitSeq(queries, []byte(",")) {
		if queryApplies(trim(q)) {
			return true
		}
	}
	return false
}

func queryApplies(q []byte) bool {
	for len(q) > 0 {
		var w []byte
		w, q = word(q)
		switch {
		case len(w) == 0 || is(w, "and") || is(w, "only") || is(w, "screen") || is(w, "all"):
		case w[0] == '(':
			name, value, _ := bytes.Cut(bytes.Trim(w, "()"), []byte(":"))
			px, ok := parseLength(trim(value), defaultSize, pageWidth)
			switch name = trim(name); {
			case ok && is(name, "min-width") && px <= pageWidth:
			case ok && is(name, "max-width") && px >= pageWidth:
			default:
				return false
			}
		default:
			return false
		}
	}
	return true
}
