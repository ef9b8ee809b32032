package charset

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// Decode turns octets into UTF-8 by a charset label as sent. What is
// valid UTF-8 and more than ASCII is taken as that whatever single-byte
// charset the label names, and a label that can't be true makes room for a
// sniff. The second result names the charset that was used where it isn't the
// one labelled, "" else. The string may hold U+FFFD, never an invalid octet.
func Decode(b []byte, label string) (string, string) {
	l := Normalize(label)
	if l == "" && !bytes.Contains(b, []byte("\x1b$")) || l == "utf-8" || l == "windows-1252" {
		if utf8.Valid(b) {
			return string(b), ""
		}
	}
	switch {
	case l == "":
		s := Sniff(b)
		return mustDecode(b, s), s
	case l == "utf-8":
		if s := brokenUTF8(b); s != "" {
			return s, ""
		}
		s := Sniff(b)
		return mustDecode(b, s), s
	case l == "windows-1252":
		if s := Sniff(b); s == "windows-1251" || s == "koi8-r" {
			return mustDecode(b, s), s
		}
	case certainlyUTF8(b):
		return string(b), "utf-8"
	default:
		if s := cyrillicText.correct(sample(b), l); s != "" {
			return mustDecode(b, s), s
		}
	}
	if s, ok := convert(b, l); ok {
		return s, ""
	}
	if utf8.Valid(b) {
		return string(b), "utf-8"
	}
	s := Sniff(b)
	return mustDecode(b, s), s
}

// certainlyUTF8 says whether octets are UTF-8 whatever their label says: text in
// another charset may be valid UTF-8 when it is short, but hardly with
// characters of three octets.
func certainlyUTF8(b []byte) bool {
	two, three := 0, 0
	for _, c := range b[:min(len(b), sampleSize)] {
		switch {
		case c >= 0xe0:
			three++
		case c >= 0xc0:
			two++
		}
	}
	return (three > 0 || two >= 8) && two+three >= 3 && utf8.Valid(b)
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
