// Package reply is an SMTP reply as a value: what a verb, a directory or a
// webhook answers. It is made where the decision falls and goes unchanged to
// the one place that writes it; nothing on the way converts it.
package reply

import (
	"strconv"
	"strings"
)

// Reply is the answer to a command (RFC 5321 section 4.2).
type Reply struct {
	Code     int      // 0: no opinion, whoever asked gives an answer of its own
	Enhanced Enhanced // its class is written to match the code; zero: "4.0.0", "5.0.0"
	Lines    []string // text, a line each; empty: the code's standard text
	Close    bool     // the connection ends after this reply; a 421 always ends it
}

// New is a reply of one line.
func New(code int, e Enhanced, text string) Reply {
	return Reply{Code: code, Enhanced: e, Lines: []string{text}}
}

// Zero reports whether there is no opinion.
func (r Reply) Zero() bool { return r.Code == 0 }

// OK reports whether the reply is positive (2xx or 3xx).
func (r Reply) OK() bool { return r.Code >= 200 && r.Code < 400 }

// Or is the reply, or another where this one is no opinion.
func (r Reply) Or(other Reply) Reply {
	if r.Zero() {
		return other
	}
	return r
}

// Closing is the reply with the connection's end.
func (r Reply) Closing() Reply {
	r.Close = true
	return r
}

// Text is the reply's words in one line, "" where it has none of its own.
func (r Reply) Text() string { return strings.Join(r.Lines, " ") }

// Words are the enhanced code, where there is one, and the text in one line.
func (r Reply) Words() string {
	if r.Enhanced.Zero() {
		return r.Text()
	}
	return strings.TrimSpace(r.Enhanced.String() + " " + r.Text())
}

// String is the reply in one line: "550 5.1.1 No such user"; "" for no opinion.
func (r Reply) String() string {
	if r.Zero() {
		return ""
	}
	if len(r.Lines) == 0 {
		r.Lines = Standard(r.Code).Lines
	}
	return strings.TrimSpace(strconv.Itoa(r.Code) + " " + r.Words())
}
