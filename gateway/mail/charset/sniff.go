package charset

import (
	"bytes"
	"unicode/utf8"
)

// Sniff names the charset of octets that nobody labelled: UTF-8, UTF-16 and
// ISO-2022-JP by their form; Cyrillic, Greek and Hebrew by the letters that they
// would make; CJK by the pairs of octets; windows-1252 for the rest.
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
	if r, _ := alphabets.read(b); r != nil {
		return r.name
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
