package smtp

import "strconv"

// EnhancedCode is an enhanced mail system status code (RFC 3463).
type EnhancedCode [3]uint8

// Reply is the answer to a command: a value that the verb returns; the engine
// writes, counts and logs it in one place.
type Reply struct {
	Code     int          // 0: no opinion, the engine gives its own answer
	Enhanced EnhancedCode // zero: the class alone ("5.0.0"); none is written on the greeting, HELO/EHLO and 3xx
	Lines    []string     // text, a line each, printable; empty: the code's standard text
	Close    bool         // the connection ends after this reply; a 421 always ends it
}

// NewReply is a reply of one line; enhanced is "5.1.1" in three numbers.
func NewReply(code int, enhanced EnhancedCode, text string) Reply {
	return Reply{Code: code, Enhanced: enhanced, Lines: []string{text}}
}

// Zero reports whether the handler left the answer to the engine.
func (r Reply) Zero() bool { return r.Code == 0 }

// OK reports whether the reply is positive (2xx or 3xx).
func (r Reply) OK() bool { return r.Code >= 200 && r.Code < 400 }

// closing is the reply with the connection's end.
func (r Reply) closing() Reply {
	r.Close = true
	return r
}

// verdict is a handler's reply where only 2xx, 4xx and 5xx make sense: zero
// stays zero, anything else is the handler's fault and defers.
func (r Reply) verdict() Reply {
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
func appendReply(b []byte, r Reply, st style) []byte {
	var prefix [16]byte
	head := appendEnhanced(prefix[:0], r, st)
	room := maxReplyLine - len("250 \r\n") - len(head)
	if len(r.Lines) == 0 {
		return appendReplyLine(b, r.Code, ' ', head, standardText(r.Code), st)
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
func appendEnhanced(b []byte, r Reply, st style) []byte {
	class := r.Code / 100
	if st == styleBare || class == 3 {
		return b
	}
	b = strconv.AppendUint(b, uint64(class), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(r.Enhanced[1]), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(r.Enhanced[2]), 10)
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

// standardText is what a reply without words of its own says.
func standardText(code int) string {
	switch code {
	case 211, 214, 220, 250:
		return "OK"
	case 221:
		return "Bye"
	case 251:
		return "User not local; will forward"
	case 252:
		return "Cannot verify the user, but will take mail for it"
	case 354:
		return "End data with <CR><LF>.<CR><LF>"
	case 421:
		return "Service not available, closing the connection"
	case 450, 451, 452:
		return "Not now, please try again later"
	case 550:
		return "Refused"
	case 551:
		return "User not local; please try the forward path"
	case 552:
		return "Too large"
	case 553:
		return "Address not allowed"
	case 554:
		return "Transaction failed"
	}
	if code < 400 {
		return "OK"
	}
	return "Refused"
}
