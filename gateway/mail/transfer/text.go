package transfer

import (
	"bytes"
	"strings"
)

// DecodeText decodes the body of a text that is in memory. Base64 that is none,
// or that plain text follows, is taken as it is; the second result says so in
// words.
func (e Encoding) DecodeText(raw []byte) (text []byte, defect string) {
	if e != Base64 {
		return e.DecodeAll(raw), ""
	}
	var m Meter
	m.Feed(raw)
	if i := m.AfterPadding(); i > 0 && IsText(raw[i:]) {
		return append(append(e.DecodeAll(raw[:i]), '\n'), raw[i:]...), textBelow
	}
	digits := m.digits + m.size/3*4
	footer := base64Footer(raw)
	switch {
	case footer == 0 && m.stray*10 > digits || digits > 0 && looksPlain(raw):
		return raw, "text labelled base64 is none"
	case m.stray == 0:
		return e.DecodeAll(raw), ""
	case footer > 0:
		return append(append(e.DecodeAll(raw[:footer]), '\n'), raw[footer:]...), textBelow
	}
	return e.DecodeAll(raw), "stray octets in base64 are dropped"
}

const textBelow = "text below base64 is taken as it is"

// IsText says whether what follows the padding of base64 is text, not more
// base64: some word of it is none, or short and without padding of its own.
func IsText(b []byte) bool {
	const long = 16 // letters and digits in a row that are hardly a word
	for i, w := range bytes.Fields(b[:min(len(b), 512)]) {
		digits := bytes.TrimRight(w, "=")
		for _, c := range digits {
			if base64Value[c] >= b64Pad {
				return true
			}
		}
		if i == 0 && len(w) < long && len(digits) == len(w) {
			return true
		}
	}
	return false
}

// base64Footer returns where the plain text starts that a list's software
// appended to a base64 body, 0 when there is none.
func base64Footer(raw []byte) int {
	start := 0
	for pos := 0; pos < len(raw); {
		line, next := CutLine(raw, pos)
		text := bytes.TrimSpace(line)
		switch {
		case len(text) == 0:
		case cleanBase64(bytes.TrimRight(text, "=")) && (start == 0 || len(text) >= 60):
			start = 0 // still, or again, base64
		case start == 0:
			start = pos
		}
		pos = next
	}
	return start
}

// looksPlain says whether a body labelled base64 is words: spaces between them.
func looksPlain(raw []byte) bool {
	words := strings.Fields(string(raw[:min(len(raw), 512)]))
	short := 0
	for _, w := range words {
		if len(w) < 16 {
			short++
		}
	}
	return len(words) > 3 && short*4 > len(words)*3
}
