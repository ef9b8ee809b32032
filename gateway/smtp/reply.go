package smtp

// EnhancedCode is an enhanced mail system status code (RFC 3463).
type EnhancedCode [3]uint8

// Reply is the answer to a command: a value that the verb returns; the engine
// writes, counts and logs it in one place.
type Reply struct {
	Code     int          // 0: no opinion, the engine gives its own answer
	Enhanced EnhancedCode // zero: none is written (greeting, HELO/EHLO, 3xx)
	Lines    []string     // text, a line each, printable; empty: the code's standard text
	Close    bool         // the connection ends after this reply
}

// Zero reports whether the handler left the answer to the engine.
func (r Reply) Zero() bool { return r.Code == 0 }

// OK reports whether the reply is positive (2xx or 3xx).
func (r Reply) OK() bool { return r.Code >= 200 && r.Code < 400 }
