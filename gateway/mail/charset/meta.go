package charset

import (
	"bytes"
	"unicode/utf8"
)

// OfHTML is the label by which a page is read: the one that its part has, or the
// page's own <meta> where that label says nothing or can't be true.
func OfHTML(b []byte, label string) string {
	l := Normalize(label)
	if l == "" || (l == "utf-8" || l == "windows-1252") && !utf8.Valid(b) {
		if m := declared(b); m != "" {
			return m
		}
	}
	return label
}

// metaSize is how far into a page its <meta charset> is looked for.
const metaSize = 4096

// declared returns the charset that a page declares, "" without.
func declared(b []byte) string {
	b = bytes.ToLower(b[:min(len(b), metaSize)])
	for {
		i := bytes.Index(b, []byte("<meta"))
		if i < 0 {
			return ""
		}
		tag, rest, ok := bytes.Cut(b[i:], []byte(">"))
		if !ok {
			return ""
		}
		if _, v, ok := bytes.Cut(tag, []byte("charset=")); ok {
			v = bytes.TrimLeft(v, "\"' ")
			if j := bytes.IndexAny(v, "\"' ;/"); j >= 0 {
				v = v[:j]
			}
			return string(v)
		}
		b = rest
	}
}
