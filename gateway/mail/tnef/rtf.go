package tnef

import (
	"encoding/binary"
	"strconv"
	"strings"

	"postern/gateway/mail/charset"
)

// rtfDictionary is what the window of compressed RTF starts with (MS-OXRTFCP
// 2.1.2.1).
const rtfDictionary = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` + "\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// decompressRTF undoes MS-OXRTFCP; what is cut off ends where it is cut. At most
// limit octets are made.
func decompressRTF(b []byte, limit int64) []byte {
	if len(b) < 16 {
		return nil
	}
	raw := min(int64(binary.LittleEndian.Uint32(b[4:])), limit)
	kind := string(b[8:12])
	b = b[16:]
	switch kind {
	case "MELA":
		return b[:min(int64(len(b)), raw)]
	case "LZFu":
	default:
		return nil
	}
	var window [4096]byte
	at := copy(window[:], rtfDictionary)
	out := make([]byte, 0, min(raw, 64<<10))
	put := func(c byte) {
		window[at] = c
		at = (at + 1) % len(window)
		out = append(out, c)
	}
	for len(b) > 0 {
		control := b[0]
		b = b[1:]
		for bit := 0; bit < 8 && len(b) > 0; bit++ {
			if control>>bit&1 == 0 {
				put(b[0])
				b = b[1:]
			} else if len(b) < 2 {
				return out
			} else {
				ref := int(binary.BigEndian.Uint16(b))
				b = b[2:]
				from, n := ref>>4, ref&15+2
				if from == at {
					return out
				}
				for ; n > 0; n-- {
					put(window[from])
					from = (from + 1) % len(window)
				}
			}
			if int64(len(out)) >= raw {
				return out
			}
		}
	}
	return out
}

// rtfReader makes text, or the HTML that Outlook wrapped (MS-OXRTFEX), of RTF.
type rtfReader struct {
	in     string
	label  string // charset of \'xx
	html   bool   // \fromhtml
	group  rtfGroup
	outer  []rtfGroup
	out    strings.Builder
	octets []byte // \'xx in a row
	skip   int    // characters that stand for the last \u
}

// rtfGroup is what braces enclose.
type rtfGroup struct {
	hidden  bool // a destination that is no text
	tag     bool // \*\htmltag: HTML as it was
	htmlrtf bool // RTF for readers without HTML
	unicode int  // \uc
	star    bool // "\*" was just read
}

// maxGroups bounds the nesting of braces.
const maxGroups = 500

// readRTF returns text or HTML.
func readRTF(b []byte, label string) (s string, html bool) {
	r := &rtfReader{in: string(b), label: label}
	r.group.unicode = 1
	if !strings.HasPrefix(r.in, `{\rtf`) {
		return "", false
	}
	for r.next() {
	}
	r.flush()
	return strings.TrimRight(r.out.String(), "\n"), r.html
}

// next reads one token: a brace, a control word or symbol, text.
func (r *rtfReader) next() bool {
	if r.in == "" {
		return false
	}
	c := r.in[0]
	switch c {
	case '{':
		r.in = r.in[1:]
		if len(r.outer) < maxGroups {
			r.outer = append(r.outer, r.group)
			r.group.star = false
		}
	case '}':
		r.in = r.in[1:]
		if n := len(r.outer); n > 0 {
			r.group, r.outer = r.outer[n-1], r.outer[:n-1]
		}
	case '\\':
		r.control()
	case '\r', '\n':
		r.in = r.in[1:]
	default:
		n := strings.IndexAny(r.in, "{}\\\r\n")
		if n < 0 {
			n = len(r.in)
		}
		text := r.in[:n]
		r.in = r.in[n:]
		k := min(r.skip, len(text))
		r.skip -= k
		r.text(text[k:])
	}
	return true
}

// text writes what is shown.
func (r *rtfReader) text(s string) {
	if s == "" || r.group.hidden || r.group.htmlrtf && !r.group.tag {
		return
	}
	r.flush()
	d, _ := charset.Decode([]byte(s), r.label)
	r.out.WriteString(d)
}

// flush decodes the octets that \'xx gave.
func (r *rtfReader) flush() {
	if len(r.octets) > 0 {
		s, _ := charset.DecodeWord(r.octets, r.label)
		r.octets = r.octets[:0]
		r.out.WriteString(s)
	}
}

// control reads a control word or symbol.
func (r *rtfReader) control() {
	r.in = r.in[1:]
	if r.in == "" {
		return
	}
	c := r.in[0]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		r.in = r.in[1:]
		r.symbol(c)
		return
	}
	n := 0
	for n < len(r.in) && r.in[n]|0x20 >= 'a' && r.in[n]|0x20 <= 'z' {
		n++
	}
	word, rest := r.in[:n], r.in[n:]
	n = 0
	for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || n == 0 && rest[n] == '-') {
		n++
	}
	value, err := strconv.Atoi(rest[:n])
	r.in = strings.TrimPrefix(rest[n:], " ")
	r.word(word, value, err == nil)
	r.group.star = false
}

func (r *rtfReader) symbol(c byte) {
	switch c {
	case '*':
		r.group.star = true
		return
	case '\'':
		if len(r.in) < 2 {
			r.in = ""
			return
		}
		v, err := strconv.ParseUint(r.in[:2], 16, 8)
		r.in = r.in[2:]
		switch {
		case r.skip > 0:
			r.skip--
		case err == nil && !r.group.hidden && (!r.group.htmlrtf || r.group.tag):
			r.octets = append(r.octets, byte(v))
		}
	case '~':
		r.text("\u00a0")
	case '_':
		r.text("-")
	case '\\', '{', '}':
		r.text(string(c))
	case '\r', '\n':
		r.text("\n")
	}
}

// word acts on a control word.
func (r *rtfReader) word(word string, value int, has bool) {
	switch word {
	case "ansicpg":
		if has && value > 0 {
			r.label = codepageLabel(value)
		}
	case "fromhtml":
		r.html = true
	case "htmltag":
		r.group.tag, r.group.hidden = true, false
	case "htmlrtf":
		r.group.htmlrtf = !has || value != 0
	case "uc":
		r.group.unicode = max(0, min(value, 10))
	case "u":
		if value < 0 {
			value += 1 << 16
		}
		r.text(string(rune(value)))
		r.skip = r.group.unicode
	case "par", "line", "row", "sect", "page":
		r.text("\n")
	case "tab", "cell":
		r.text("\t")
	case "emdash":
		r.text("—")
	case "endash":
		r.text("–")
	case "lquote":
		r.text("‘")
	case "rquote":
		r.text("’")
	case "ldblquote":
		r.text("“")
	case "rdblquote":
		r.text("”")
	case "bullet":
		r.text("•")
	case "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "mhtmltag", "listtable", "listoverridetable", "rsidtbl", "generator", "themedata":
		r.group.hidden = true
	default:
		if r.group.star { // a destination that this reader doesn't know
			r.group.hidden = true
		}
	}
}
