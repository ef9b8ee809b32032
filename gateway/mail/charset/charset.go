package charset

import (
	"bytes"
	"unicode/utf8"

	"postern/gateway/text"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Decode turns the octets of a body into UTF-8 by a charset label as sent. A
// label by which they can be read stands, but for overwhelming evidence: octets
// that are UTF-8 beyond doubt, or a long Russian text that its label makes
// gibberish of. A label that says nothing, or can't be true, makes room for a
// sniff. The second result names the charset that was used where it isn't the
// one labelled, "" else. The string may hold U+FFFD, never an invalid octet.
func Decode(b []byte, label string) (decoded, used string) {
	l := Normalize(label)
	if s, ok := overruled(b, l); ok {
		return mustDecode(b, s), s
	}
	return DecodeWord(b, label)
}

// DecodeWord is Decode for a few words with a label of their own (RFC 2047,
// 2231), which only octets that are UTF-8 beyond doubt overrule.
func DecodeWord(b []byte, label string) (decoded, used string) {
	l := Normalize(label)
	if meantUTF8(b, l) {
		return string(b), "utf-8"
	}
	if !sevenBit(l) || text.IsASCII(b) {
		switch {
		case l == "utf-8" && !utf8.Valid(b):
			if mostlyUTF8(b) {
				return ToUTF8(b), "broken utf-8"
			}
		case l == "" && utf8.Valid(b) && !bytes.Contains(b, []byte("\x1b$")):
			if label != "" && !text.IsASCII(b) {
				used = "utf-8"
			}
			return string(b), used
		case l != "":
			if s, ok := convert(b, l); ok {
				return s, ""
			}
			if utf8.Valid(b) {
				return string(b), "utf-8"
			}
		}
	}
	s := Sniff(b)
	return mustDecode(b, s), s
}

// sevenBit says whether a charset has no octets above 0x7f.
func sevenBit(label string) bool {
	switch label {
	case "iso-2022-jp", "iso-2022-kr", "utf-7", "hz-gb-2312":
		return true
	}
	return false
}

// What it takes to read a long text against its label.
const (
	longText    = 60  // letters,
	longLatin   = 20  // letters, where the label makes accented letters of all of them
	longVariety = 14  // of them different
	variety     = 8   // different letters or characters: a word over and over is one word
	reads       = 0   // evidence of a letter in the right charset, at least
	gibberish   = -.5 // and at most in the labelled one
	longSingle  = 8   // characters of UTF-8 that any charset of single octets could mean
)

// meantUTF8 says whether octets with another label certainly are UTF-8.
func meantUTF8(b []byte, label string) bool {
	switch label {
	case "", "utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32":
		return false
	case "windows-1252": // one mailer's default against the other's
		return !text.IsASCII(b) && utf8.Valid(b)
	}
	return certainlyUTF8(b, label)
}

// overruled names the charset that certainly was meant instead of the label:
// only what mailers really mistake for each other.
func overruled(b []byte, label string) (string, bool) {
	if meantUTF8(b, label) {
		return "utf-8", true
	}
	switch label {
	case "", "utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32":
		return "", false
	case "windows-1252":
		r, e := alphabets.read(sample(b))
		certain := r != nil && (r.name == "windows-1251" || r.name == "koi8-r") && e.letters >= longLatin && e.different() >= variety
		return nameOf(r), certain
	}
	labelled := alphabets.named(label)
	if labelled == nil || labelled.of != alphabets[0].of {
		return "", false
	}
	b = sample(b)
	if e := labelled.score(b); e.letters < longText || e.different() < longVariety || e.mean() > gibberish {
		return "", false
	}
	r, e := alphabets.read(b)
	return nameOf(r), r != nil && r != labelled && r.of == labelled.of && e.letters >= longText && e.mean() >= reads
}

func nameOf(r *reading) string {
	if r == nil {
		return ""
	}
	return r.name
}

// certainlyUTF8 says whether octets are UTF-8 whatever their label says: text in
// another charset may be valid UTF-8 when it is short or one word over and over,
// but hardly with characters of three octets, which only DOS Cyrillic has words of.
func certainlyUTF8(b []byte, label string) bool {
	if !utf8.Valid(b) {
		return false
	}
	two, three, seen := 0, 0, map[rune]struct{}{}
	for _, r := range string(b[:min(len(b), sampleSize)]) {
		if r < utf8.RuneSelf {
			continue
		}
		if seen[r] = struct{}{}; r < 0x800 {
			two++
		} else {
			three++
		}
	}
	if three >= 3 && label != "ibm866" {
		return len(seen) >= 3
	}
	return two+three >= longSingle && len(seen) >= variety
}

// mustDecode decodes by a charset that the sniffer named.
func mustDecode(b []byte, label string) string {
	if s, ok := convert(b, label); ok {
		return s
	}
	return ToUTF8(b)
}

// convert decodes by a normalised label, false when nobody knows it.
func convert(b []byte, label string) (string, bool) {
	switch label {
	case "utf-8":
		return ToUTF8(b), true
	case "utf-7":
		return decodeUTF7(b), true
	case "iso-2022-kr":
		b, label = iso2022krToEUC(b), "euc-kr"
	case "utf-16":
		label = utf16Order(b)
	case "utf-32":
		return decodeUTF32(b), true
	}
	e := encodingOf(label)
	if e == nil {
		return "", false
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return "", false
	}
	return ToUTF8(out), true
}

// encodingOf finds a charset by any of its registered names (IANA, WHATWG), nil
// for one that nobody knows.
func encodingOf(label string) encoding.Encoding {
	for _, name := range [...]string{label, "cs" + label} {
		if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
			return e
		}
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	return e
}
