package smtp

import (
	"strconv"

	"postern/gateway/smtp/reply"
)

// sane is a handler's reply where only 2xx, 4xx and 5xx make sense: zero stays
// zero, anything else is the handler's fault and defers.
func sane(r reply.Reply) reply.Reply {
	switch {
	case r.Zero(), r.Code >= 200 && r.Code < 300, r.Code >= 400 && r.Code < 600:
		return r
	}
	return replyHandlerFault
}

// maxReplyLine is the longest reply line with CRLF (RFC 5321 section 4.5.3.1.5).
const maxReplyLine = 512

// style is how a reply is rendered. The greeting and the answers to HELO and
// EHLO carry no enhanced code (RFC 2034 section 3), and no 3xx does.
type style uint8

const (
	styleEnhanced style = iota // enhanced code on each line
	styleBare                  // greeting, HELO, EHLO
	styleUTF8                  // as styleEnhanced, and the text may be UTF-8 (RFC 6531 section 3.7.4)
)

// appendReply renders the reply, each line at most 512 octets, its text made
// printable whoever wrote it.
func appendReply(b []byte, r reply.Reply, st style) []byte {
	var prefix [16]byte
	head := appendEnhanced(prefix[:0], r, st)
	room := maxReplyLine - len("250 \r\n") - len(head)
	if len(r.Lines) == 0 {
		return appendReplyLine(b, r.Code, ' ', head, reply.Standard(r.Code).Text(), st)
	}
	for i, text := range r.Lines {
		for len(text) > room {
			cut := wrapAt(text, room)
			b = appendReplyLine(b, r.Code, '-', head, text[:cut], st)
			text = text[cut:]
		}
		sep := byte('-')
		if i == len(r.Lines)-1 {
			sep = ' '
		}
		b = appendReplyLine(b, r.Code, sep, head, text, st)
	}
	return b
}

// appendEnhanced writes the code with its class made to match, and a space.
func appendEnhanced(b []byte, r reply.Reply, st style) []byte {
	class := r.Code / 100
	if st == styleBare || class == 3 {
		return b
	}
	b = r.Enhanced.Of(r.Code).Append(b)
	return append(b, ' ')
}

func appendReplyLine(b []byte, code int, sep byte, head []byte, text string, st style) []byte {
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, sep)
	b = append(b, head...)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c < ' ' || c == 0x7f:
			c = ' '
		case c >= 0x80 && st != styleUTF8:
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
