package charset

import (
	"bytes"
	"math"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Sniff names the charset of octets that nobody labelled: UTF-8, UTF-16 and
// ISO-2022-JP by their form, Cyrillic by the letters and pairs of letters that
// it would make, CJK by the pairs of octets, windows-1252 for the rest.
func Sniff(b []byte) string {
	switch {
	case bytes.Contains(b, []byte("\x1b$)C")):
		return "iso-2022-kr"
	case bytes.Contains(b, []byte("\x1b$")):
		return "iso-2022-jp"
	case LooksUTF16(b):
		return "utf-16"
	case utf8.Valid(b):
		return "utf-8"
	}
	b = sample(b)
	if c := sniffCyrillic(b); c != "" {
		return c
	}
	if c := sniffCJK(b); c != "" {
		return c
	}
	return "windows-1252"
}

// sampleSize bounds what a sniff reads.
const sampleSize = 8 << 10

// sample is the stretch of b worth sniffing: from shortly before its first
// 8-bit octet.
func sample(b []byte) []byte {
	if len(b) <= sampleSize {
		return b
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			b = b[max(0, i-64):]
			break
		}
	}
	return b[:min(len(b), sampleSize)]
}

// LooksUTF16 wants a byte order mark or zeros in every other octet.
func LooksUTF16(b []byte) bool {
	if len(b) < 4 || len(b)%2 != 0 {
		return false
	}
	if b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff {
		return true
	}
	b = b[:min(len(b), 512)]
	var zeros [2]int
	for i, c := range b {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(b) / 2
	return max(zeros[0], zeros[1]) > half*7/10 && min(zeros[0], zeros[1]) < half/10+1
}

// letterWeight is log2 of a letter's share in Russian text in permille, less 5:
// text in the right charset sums up above zero.
func letterWeights() [64]float64 {
	const order = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґў"
	share := []float64{109, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16,
		14, 12, 10, 9, 7, 6, 5, 4, 3, 3, .4, 1, 15, 3, 3, .3, .5}
	var w [64]float64
	i := 0
	for _, r := range order {
		w[letterIndex(r)] = max(-2, math.Log2(share[i])-5) // a short text may hold a rare letter
		i++
	}
	return w
}

// letterIndex numbers the lower-case Cyrillic letters from 1, 0 for others.
func letterIndex(r rune) uint8 {
	switch {
	case r >= 'а' && r <= 'я':
		return uint8(r-'а') + 1
	case r == 'ё':
		return 33
	case r == 'і':
		return 34
	case r == 'ї':
		return 35
	case r == 'є':
		return 36
	case r == 'ґ':
		return 37
	case r == 'ў':
		return 38
	}
	return 0
}

// commonPairs are the pairs that make up nine tenths of Russian text and a
// quarter of random letters.
const commonPairs = "ст но то на ен ов ни ра во ко по пр ро го не та ре ос ли ка ер ет ла ло ол ор ом од об от он ал ан ар ат ас ав ак ам " +
	"ад аз ая ва ве ви вс вы да де ди до др ел ем ес ее ей ег ед жа же за зн зв ив ие ий ик ил им ин ис ит их иц ич ия ки кр " +
	"кт ку ле лю ля ль ма ме ми мо му мы нн ну ны нт ня ог ой оп ою пе пи пл ри ру ры се си ск сл см со сс ся те ти тр ту ть " +
	"тв ты ув ус ут уд ум уч ую хо ци че чи чт ши ше шт ще щи ые ый ых ым ьн ьс эт юд ют ющ яв ят яз ям ях жи жн зд зо зы бо " +
	"бы бл бе бр ба бу ги гл гр га ду дн дл дв ех ек её ещ еч еж ез еб ев ец уж ук ул ун ур ущ хи ху цы ца це чн чк шл шк шн " +
	"оч ощ ож оз ох ош ию ьк ья ью вт вл вн вр сп сн св сч сы ср кл кн кв пу пы ря рн рт рв рд мп мн мм ві рі ні ді кі її фо фи фа фе зю юм чё ёт лё ёр ём ён нё её ёл тё сё рё шё"

// cyrillic is what the sniffer knows of one single-byte charset: for each
// octet the letter it makes, with bit 6 for upper case, or symbol.
type cyrillic struct {
	name    string
	letters [256]uint8
}

const (
	upper  = 0x40
	symbol = 0x80 // a character that text hardly has
	mark   = 0xff // typographic: dashes, quotes, №
)

// cyrillicModel is read only once it is made.
type cyrillicModel struct {
	weights  [64]float64
	pairs    [64][64]bool
	charsets []cyrillic
}

var cyrillicText = newCyrillicModel()

func newCyrillicModel() *cyrillicModel {
	m := &cyrillicModel{weights: letterWeights()}
	for p := range bytes.SplitSeq([]byte(commonPairs), []byte(" ")) {
		r := []rune(string(p))
		m.pairs[letterIndex(r[0])][letterIndex(r[1])] = true
	}
	for _, c := range []struct {
		name string
		cm   *charmap.Charmap
	}{
		{"windows-1251", charmap.Windows1251}, {"koi8-r", charmap.KOI8R}, {"ibm866", charmap.CodePage866},
		{"iso-8859-5", charmap.ISO8859_5}, {"x-mac-cyrillic", charmap.MacintoshCyrillic},
	} {
		m.charsets = append(m.charsets, cyrillic{c.name, octetLetters(c.cm)})
	}
	return m
}

// octetLetters tabulates what each octet of a charset is to the sniffer.
func octetLetters(cm *charmap.Charmap) [256]uint8 {
	var t [256]uint8
	for i := 128; i < 256; i++ {
		r := cm.DecodeByte(byte(i))
		switch {
		case letterIndex(r) > 0:
			t[i] = letterIndex(r)
		case r >= 'А' && r <= 'Я':
			t[i] = letterIndex(r+32) | upper
		case r >= 'Ѐ' && r <= 'Џ' && letterIndex(r+80) > 0:
			t[i] = letterIndex(r+80) | upper
		case bytes.ContainsRune([]byte("«»–—№“”„…°•‘’\u00a0"), r):
			t[i] = mark
		default:
			t[i] = symbol
		}
	}
	return t
}

// sniffCyrillic names the Cyrillic charset that makes the most Russian text of
// b, "" when none makes any.
func sniffCyrillic(b []byte) string {
	if !cyrillicShape(b) {
		return ""
	}
	best, name := math.Inf(-1), ""
	for i := range cyrillicText.charsets {
		c := &cyrillicText.charsets[i]
		s := cyrillicText.score(b, &c.letters)
		if s <= 0 {
			continue
		}
		if s -= 0.3 * float64(i*i); s > best { // the rarer charset must be better by a bit
			best, name = s, c.name
		}
	}
	return name
}

// correct names the Cyrillic charset of octets that are labelled with another
// one under which they make no Russian, "" when the label may stand.
func (m *cyrillicModel) correct(b []byte, label string) string {
	for i := range m.charsets {
		if m.charsets[i].name == label {
			if m.score(b, &m.charsets[i].letters) >= 0 {
				return ""
			}
			if s := sniffCyrillic(b); s != label {
				return s
			}
		}
	}
	return ""
}

// cyrillicShape says whether b has words of 8-bit letters. Accented letters of
// western languages stand alone amid ASCII ones.
func cyrillicShape(b []byte) bool {
	run, longest, high, mixed := 0, 0, 0, 0
	for i, c := range b {
		if c < utf8.RuneSelf {
			run = 0
			continue
		}
		high++
		run++
		longest = max(longest, run)
		if i > 0 && isLetter(b[i-1]) || i+1 < len(b) && isLetter(b[i+1]) {
			mixed++
		}
	}
	return longest >= 3 && mixed*3 <= high || longest == 2 && high == len(bytes.Trim(b, " .,!?"))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// score sums up how Russian b looks in a charset.
func (m *cyrillicModel) score(b []byte, letters *[256]uint8) float64 {
	sum := 0.0
	var prev uint8
	for _, c := range b {
		l := letters[c]
		switch {
		case c < utf8.RuneSelf:
			prev = 0
			continue
		case l == mark:
			sum -= 0.4
			prev = 0
			continue
		case l == symbol:
			sum -= 4
			prev = 0
			continue
		}
		n := l &^ upper
		sum += m.weights[n]
		if prev != 0 {
			if l&upper != 0 && prev&upper == 0 {
				sum -= 3 // a capital after a small letter
			}
			if m.pairs[prev&^upper][n] {
				sum += 0.6
			} else {
				sum -= 1.2
			}
		}
		prev = l
	}
	return sum
}
