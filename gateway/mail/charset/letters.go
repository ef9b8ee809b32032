package charset

import (
	"bytes"
	"math"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// language is what the sniffer knows of the letters of an alphabet.
type language struct {
	index   map[rune]uint8 // of the lower-case letters, from 1
	weights [64]float64
	pairs   *[64][64]bool // that text mostly consists of; nil: nothing known
}

// newLanguage takes the letters, the most used first, with their share in
// permille of text. A letter's weight is log2 of it, less 5: text in the right
// charset sums up above zero.
func newLanguage(letters string, share []float64, pairs string) *language {
	l := &language{index: map[rune]uint8{}}
	for _, r := range letters {
		n := len(l.index)
		l.index[r] = uint8(n + 1)
		l.weights[n+1] = max(-2, math.Log2(share[n])-5) // a short text may hold a rare letter
	}
	if pairs == "" {
		return l
	}
	l.pairs = new([64][64]bool)
	for p := range strings.FieldsSeq(pairs) {
		r := []rune(p)
		l.pairs[l.index[r[0]]][l.index[r[1]]] = true
	}
	return l
}

func russian() *language {
	return newLanguage("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґў", []float64{109, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16,
		14, 12, 10, 9, 7, 6, 5, 4, 3, 3, .4, 1, 15, 3, 3, .3, .5}, commonPairs)
}

func greek() *language {
	return newLanguage("ατονιεσρκπυςημίλόάγωδέήύχθώφβξζψϊϋΐΰ", []float64{92, 78, 72, 64, 62, 60, 45, 42, 40, 40, 38, 38, 36, 32, 30, 28, 27, 20, 19, 18,
		17, 20, 18, 12, 12, 12, 10, 9, 7, 5, 4, 2, 1, .3, .5, .3}, "")
}

func hebrew() *language {
	return newLanguage("יוהלארמתבשנעםדכחקפסטגזןצךףץ", []float64{110, 104, 95, 70, 63, 56, 55, 50, 48, 45, 33, 33, 28, 26, 25, 24, 21, 18, 15, 13, 13, 13,
		12, 10, 8, 2, 1}, "")
}

// commonPairs are the pairs that make up nine tenths of Russian text and a
// quarter of random letters.
const commonPairs = "ст но то на ен ов ни ра во ко по пр ро го не та ре ос ли ка ер ет ла ло ол ор ом од об от он ал ан ар ат ас ав ак ам " +
	"ад аз ая ва ве ви вс вы да де ди до др ел ем ес ее ей ег ед жа же за зн зв ив ие ий ик ил им ин ис ит их иц ич ия ки кр " +
	"кт ку ле лю ля ль ма ме ми мо му мы нн ну ны нт ня ог ой оп ою пе пи пл ри ру ры се си ск сл см со сс ся те ти тр ту ть " +
	"тв ты ув ус ут уд ум уч ую хо ци че чи чт ши ше шт ще щи ые ый ых ым ьн ьс эт юд ют ющ яв ят яз ям ях жи жн зд зо зы бо " +
	"бы бл бе бр ба бу ги гл гр га ду дн дл дв ех ек её ещ еч еж ез еб ев ец уж ук ул ун ур ущ хи ху цы ца це чн чк шл шк шн " +
	"оч ощ ож оз ох ош ию ьк ья ью вт вл вн вр сп сн св сч сы ср кл кн кв пу пы ря рн рт рв рд мп мн мм ві рі ні ді кі її фо фи фа фе зю юм чё ёт лё ёр ём ён нё её ёл тё сё рё шё"

// reading is one single-octet charset: for each octet the letter it makes, with
// bit 6 for upper case, or symbol.
type reading struct {
	name    string
	of      *language
	prior   float64 // how much better than the others it must be
	letters [256]uint8
}

const (
	upper  = 0x40
	symbol = 0x80 // a character that text hardly has
	mark   = 0xff // typographic: dashes, quotes, №
)

// readings are what the sniffer tries. They are read only once they are made.
type readings []reading

var alphabets = newReadings()

func newReadings() readings {
	ru, el, he := russian(), greek(), hebrew()
	var all readings
	for _, c := range []struct {
		name  string
		of    *language
		prior float64
		cm    *charmap.Charmap
	}{
		{"windows-1251", ru, 0, charmap.Windows1251}, {"koi8-r", ru, 0.3, charmap.KOI8R}, {"ibm866", ru, 1.2, charmap.CodePage866},
		{"iso-8859-5", ru, 2.7, charmap.ISO8859_5}, {"x-mac-cyrillic", ru, 4.8, charmap.MacintoshCyrillic},
		{"windows-1253", el, 0.5, charmap.Windows1253}, {"iso-8859-7", el, 0.6, charmap.ISO8859_7}, {"windows-1255", he, 0.5, charmap.Windows1255},
	} {
		all = append(all, reading{c.name, c.of, c.prior, c.of.octets(c.cm)})
	}
	return all
}

// octets tabulates what each octet of a charset is to the sniffer.
func (l *language) octets(cm *charmap.Charmap) [256]uint8 {
	var t [256]uint8
	for i := 128; i < 256; i++ {
		r := cm.DecodeByte(byte(i))
		lower := unicode.ToLower(r)
		switch n := l.index[lower]; {
		case n > 0 && r == lower:
			t[i] = n
		case n > 0:
			t[i] = n | upper
		case bytes.ContainsRune([]byte("«»–—№“”„…°•‘’·\u00a0"), r):
			t[i] = mark
		default:
			t[i] = symbol
		}
	}
	return t
}

// read finds the charset that makes the most text of b and the evidence for it,
// nil when none makes any.
func (all readings) read(b []byte) (*reading, evidence) {
	if !wordShape(b) {
		return nil, evidence{}
	}
	best, most, found := math.Inf(-1), (*reading)(nil), evidence{}
	for i := range all {
		e := all[i].score(b)
		if s := e.sum - all[i].prior; e.sum > 0 && s > best {
			best, most, found = s, &all[i], e
		}
	}
	return most, found
}

// named finds a reading by its charset.
func (all readings) named(charset string) *reading {
	for i := range all {
		if all[i].name == charset {
			return &all[i]
		}
	}
	return nil
}

// wordShape says whether b has words of 8-bit letters. Accented letters of
// western languages stand alone amid ASCII ones; blanks that don't break
// (0xa0) are no word.
func wordShape(b []byte) bool {
	run, blanks, longest, high, mixed := 0, 0, 0, 0, 0
	for i, c := range b {
		if c < utf8.RuneSelf {
			run, blanks = 0, 0
			continue
		}
		if c == 0xa0 {
			blanks++
		}
		high++
		run++
		if run > blanks {
			longest = max(longest, run)
		}
		if i > 0 && isLetter(b[i-1]) || i+1 < len(b) && isLetter(b[i+1]) {
			mixed++
		}
	}
	return longest >= 3 && mixed*3 <= high || longest == 2 && high == len(bytes.Trim(b, " .,!?"))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// evidence is how much text a reading makes: a sum over letters.
type evidence struct {
	sum     float64
	letters int
	seen    uint64 // which letters, by their index
}

// different is how many letters of the alphabet there are.
func (e evidence) different() int { return bits.OnesCount64(e.seen) }

// mean is the evidence of one letter: about 1 in the right charset, below 0 in a
// wrong one.
func (e evidence) mean() float64 { return e.sum / float64(max(1, e.letters)) }

// score sums up how much b looks like the reading's language.
func (r *reading) score(b []byte) evidence {
	var e evidence
	var prev uint8
	for _, c := range b {
		l := r.letters[c]
		switch {
		case c < utf8.RuneSelf:
			prev = 0
			continue
		case l == mark:
			e.sum -= 0.4
			prev = 0
			continue
		case l == symbol:
			e.sum -= 4
			prev = 0
			continue
		}
		n := l &^ upper
		e.letters++
		e.seen |= 1 << n
		e.sum += r.of.weights[n]
		if prev != 0 {
			e.sum += r.of.pair(prev, l)
		}
		prev = l
	}
	return e
}

// pair is what two letters in a row add.
func (l *language) pair(a, b uint8) float64 {
	sum := 0.0
	if b&upper != 0 && a&upper == 0 {
		sum -= 3 // a capital after a small letter
	}
	switch {
	case l.pairs == nil:
	case l.pairs[a&^upper][b&^upper]:
		sum += 0.6
	default:
		sum -= 1.2
	}
	return sum
}
