// Package data reads what follows DATA: where the message ends, which dots were
// put in for its sake (RFC 5321 section 4.5.2), how long its header is and how
// many hops it came by. It reads windows of octets as they arrive, cut anywhere,
// copies none of them, and gives the same answer however they are cut. Nothing
// here fails or waits: what isn't right is noted, and the octets go on.
package data

import "bytes"

// Scanner finds the end of DATA and takes the dots out, over windows of
// octets that are handed on as they are, without a copy.
//
//	            +--- any line ---+
//	            v                |
//	354 --> [line start] --"."--> [dot] --CRLF--> end of data
//	            ^                   |
//	            |              any other octet: the dot is dropped
//	            |                   v
//	            +---- CR+ LF --- [in line] --- CR or LF alone: bare
//
// Only a line end whose last octets are CRLF begins a line, so only CRLF "."
// CRLF ends the data. More than one CR before an LF is one broken line end,
// and bare as well. A CR or LF alone marks the message, or becomes a CRLF; it
// is never a line's end to the state machine.
type Scanner struct {
	Normalize bool // each broken line end becomes one CRLF
	Bare      bool // there was one
	inLine    bool // the last octet consumed did not end a line
}

// maxCRs is how many CRs before an LF belong to it: no broken client makes
// more, and a window's last octets wait for what follows them.
const maxCRs = 8

var (
	crlf      = []byte("\r\n")
	endOfData = []byte(".\r\n") // at the start of a line
)

// Scan consumes octets at the front of p and hands runs of content to out. It
// returns how many it consumed; the others must come again with more behind
// them. done: the last octets consumed were the end of data.
func (d *Scanner) Scan(p []byte, out Taker) (n int, done bool) {
	start := 0 // of the run not handed out yet
	lf := -1   // where the next LF is, looked for once: CRs before it must not search again
	for n < len(p) {
		if !d.inLine && p[n] == '.' {
			if len(p)-n < 3 && bytes.HasPrefix(endOfData, p[n:]) {
				break
			}
			out.Take(p[start:n])
			n++
			start = n
			if p[n] == '\r' && p[n+1] == '\n' {
				return n + 2, true
			}
			d.inLine = true
		}
		if lf < n {
			lf = indexLF(p, n)
		}
		if n < lf && lf < len(p) && bytes.IndexByte(p[n:lf], '\r') == lf-1-n { // a CRLF, as nearly always
			n, d.inLine = lf+1, false
			continue
		}
		at, end, kind := nextEnd(p, n, lf)
		d.inLine = d.inLine || at > n
		if kind == endUnknown {
			n = at
			break
		}
		n, d.inLine, d.Bare = end, kind == endLone, true
		if d.Normalize {
			out.Take(p[start:at])
			for range kind.lines(end - at) {
				out.Take(crlf)
			}
			start = end
		}
	}
	out.Take(p[start:n])
	return n, false
}

// Taker takes runs of a message. A run may be empty, and is not to be kept.
type Taker interface{ Take(p []byte) }

// indexLF is where the first LF at or behind from is, or the end of p.
func indexLF(p []byte, from int) int {
	if i := bytes.IndexByte(p[from:], '\n'); i >= 0 {
		return from + i
	}
	return len(p)
}

// lineEnd is what stands where a line may end, where it is no CRLF.
type lineEnd uint8

const (
	endUnknown lineEnd = iota // none yet; CRs at the end of the window, whose LF may follow
	endBroken                 // more than one CR and an LF
	endLone                   // CRs or an LF alone
)

// lines is how many lines so many octets end.
func (e lineEnd) lines(octets int) int {
	if e == endLone {
		return octets
	}
	return 1
}

// nextEnd finds the first of them at or behind from: p[at:end]. lf is where
// the first LF is, or the end of p.
func nextEnd(p []byte, from, lf int) (at, end int, kind lineEnd) {
	cr := bytes.IndexByte(p[from:lf], '\r')
	switch {
	case cr < 0 && lf == len(p):
		return lf, lf, endUnknown
	case cr < 0:
		return lf, lf + 1, endLone
	}
	at = from + cr
	for end = at; end < lf && p[end] == '\r'; end++ {
	}
	switch {
	case end < lf:
		return at, end, endLone
	case end-at > maxCRs:
		return at, end - maxCRs, endLone
	case end == len(p):
		return at, at, endUnknown
	}
	return at, end + 1, endBroken
}
