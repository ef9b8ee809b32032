package charset

import "unicode/utf8"

// cjkCount is what one reading of b as pairs of octets finds.
type cjkCount struct {
	pairs, bad int
	kana       int // Japanese syllables
	hangul     int // the range of Korean syllables
	common     int // the range of the most used ideographs
	alone      int // pairs between ASCII letters, as accented letters are
}

// pairRule says whether an octet leads a pair and whether the next completes it.
type pairRule struct {
	lead, trail func(c byte) bool
	single      func(c byte) bool // 8-bit octets that stand alone
	class       func(lead, trail byte, n *cjkCount)
}

func between(lo, hi byte) func(byte) bool {
	return func(c byte) bool { return c >= lo && c <= hi }
}

// readPairs walks b by a rule.
func readPairs(b []byte, r pairRule) cjkCount {
	var n cjkCount
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c < utf8.RuneSelf || r.single != nil && r.single(c) {
			continue
		}
		if i+1 == len(b) {
			break // cut by the sample
		}
		if !r.lead(c) || !r.trail(b[i+1]) {
			n.bad++
			continue
		}
		n.pairs++
		if i > 0 && isLetter(b[i-1]) && (isLetter(b[i+1]) || i+2 < len(b) && isLetter(b[i+2])) {
			n.alone++
		}
		r.class(c, b[i+1], &n)
		i++
	}
	return n
}

func (n cjkCount) plausible() bool { return n.pairs >= 2 && n.bad*20 <= n.pairs && n.alone*4 < n.pairs }

// sniffCJK names the East Asian charset of b, "" when it is none.
func sniffCJK(b []byte) string {
	euc := pairRule{lead: between(0xa1, 0xfe), trail: between(0xa1, 0xfe),
		class: func(l, _ byte, n *cjkCount) {
			switch {
			case l == 0xa4 || l == 0xa5:
				n.kana++
			case l >= 0xb0 && l <= 0xc8:
				n.hangul++
				n.common++
			case l >= 0xb0 && l <= 0xd7:
				n.common++
			}
		}}
	sjis := pairRule{
		lead:   func(c byte) bool { return c >= 0x81 && c <= 0x9f || c >= 0xe0 && c <= 0xfc },
		trail:  func(c byte) bool { return c >= 0x40 && c != 0x7f && c <= 0xfc },
		single: between(0xa1, 0xdf),
		class: func(l, t byte, n *cjkCount) {
			switch {
			case l == 0x82 && t >= 0x9f || l == 0x83:
				n.kana++
			case l >= 0x88 && l <= 0x97:
				n.common++
			}
		}}
	big5 := pairRule{lead: between(0xa1, 0xf9),
		trail: func(c byte) bool { return c >= 0x40 && c <= 0x7e || c >= 0xa1 && c <= 0xfe },
		class: func(l, _ byte, n *cjkCount) {
			if l >= 0xa4 && l <= 0xc6 {
				n.common++
			}
		}}
	e, s, g := readPairs(b, euc), readPairs(b, sjis), readPairs(b, big5)
	switch {
	case e.plausible() && e.kana*5 >= e.pairs:
		return "euc-jp"
	case s.plausible() && s.kana*6 >= s.pairs && s.kana+s.common > s.pairs/2:
		return "shift_jis"
	case e.plausible() && e.hangul*10 >= e.pairs*9:
		return "euc-kr"
	case e.plausible() && e.common*2 >= e.pairs:
		return "gb18030"
	case g.plausible() && g.common*10 >= g.pairs*6:
		return "big5"
	case s.plausible() && s.common*2 >= s.pairs:
		return "shift_jis"
	}
	return ""
}
