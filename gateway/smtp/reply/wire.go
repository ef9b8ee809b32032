package reply

import "strconv"

// MaxLine is the longest reply line with CRLF (RFC 5321 section 4.5.3.1.5).
const MaxLine = 512

// Style is how a reply is rendered. The greeting and the answers to HELO and
// EHLO carry no enhanced code (RFC 2034 section 3), and no 3xx does.
type Style uint8

const (
	StyleEnhanced Style = iota // enhanced code on each line
	StyleBare                  // greeting, HELO, EHLO
	StyleUTF8                  // as StyleEnhanced, and the text may be UTF-8 (RFC 6531 section 3.7.4)
)

// Append renders the reply as it goes over the wire, each line at most MaxLine
// octets, its text made printable whoever wrote it.
func (r Reply) Append(b []byte, st Style) []byte {
	var prefix [16]byte
	head := r.appendEnhanced(prefix[:0], st)
	room := MaxLine - len("250 \r\n") - len(head)
	if len(r.Lines) == 0 {
		return appendLine(b, r.Code, ' ', head, Standard(r.Code).Text(), st)
	}
	for i, text := range r.Lines {
		for len(text) > room {
			cut := wrapAt(text, room)
			b = appendLine(b, r.Code, '-', head, text[:cut], st)
			text = text[cut:]
		}
		sep := byte('-')
		if i == len(r.Lines)-1 {
			sep = ' '
		}
		b = appendLine(b, r.Code, sep, head, text, st)
	}
	return b
}

// appendEnhanced writes the code with its class made to match, and a space.
func (r Reply) appendEnhanced(b []byte, st Style) []byte {
	class := r.Code / 100
	if st == StyleBare || class == 3 {
		return b
	}
	b = r.Enhanced.Of(r.Code).Append(b)
	return append(b, ' ')
}

func appendLine(b []byte, code int, sep byte, head []byte, text string, st Style) []byte {
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, sep)
	b = append(b, head...)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			c = ' '
		case c >= 0x80 && st != StyleUTF8:
			c = '?'
		}
		b = append(b, c)
	}
	return append(b, '\r', '\n')
}

// wrapAt finds where to cut a text that is longer than room: behind the last
// space, else between two runes.
func wrapAt(text string, room int) int {
	for i := room; i > room/2; i-- {
		if text[i-1] == ' ' {
			return i
		}
	}
	for i := room; i > room-4; i-- {
		if text[i]&0xC0 != 0x80 {
			return i
		}
	}
	return room
}
