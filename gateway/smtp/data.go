package smtp

import "bytes"

// dataScanner finds the end of DATA and takes the dots out, over windows of
// octets that are handed on as they are, without a copy.
//
//	            +--- any line ---+
//	            v                |
//	354 --> [line start] --"."--> [dot] --CRLF--> end of data
//	            ^                   |
//	            |              any other octet: the dot is dropped
//	            |                   v
//	            +----- CRLF --- [in line] --- CR or LF alone: bare
//
// Only CRLF begins a line, so only CRLF "." CRLF ends the data. A CR or LF
// alone marks the message, or becomes a CRLF; it is never a line's end to the
// state machine.
type dataScanner struct {
	inLine    bool // the last octet consumed did not end a line
	normalize bool // lone CR and LF become CRLF
	bare      bool // a lone CR or LF was seen
}

var (
	crlf      = []byte("\r\n")
	endOfData = []byte(".\r\n") // at the start of a line
)

// scan consumes octets at the front of p and hands runs of content to out. It
// returns how many it consumed; the others must come again with more behind
// them. done: the last octets consumed were the end of data.
func (d *dataScanner) scan(p []byte, out octets) (n int, done bool) {
	start := 0 // of the run not handed out yet
	lf := -1   // where the next LF is, looked for once: CRs before it must not search again
	for n < len(p) {
		if !d.inLine && p[n] == '.' {
			if len(p)-n < 3 && bytes.HasPrefix(endOfData, p[n:]) {
				break
			}
			out.write(p[start:n])
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
		end, lone := nextEnd(p[n:], lf-n)
		if end < 0 { // no line end: all but a last CR, whose LF may follow
			held := 0
			if p[len(p)-1] == '\r' {
				held = 1
			}
			d.inLine = d.inLine || len(p)-held > n
			n = len(p) - held
			break
		}
		n += end
		d.inLine = lone
		if lone {
			d.bare = true
			if d.normalize {
				out.write(p[start : n-1])
				out.write(crlf)
				start = n
			}
		}
	}
	out.write(p[start:n])
	return n, false
}

// octets takes runs of a message. Empty runs are allowed.
type octets interface{ write(p []byte) }

// indexLF is where the first LF at or behind from is, or the end of p.
func indexLF(p []byte, from int) int {
	if i := bytes.IndexByte(p[from:], '\n'); i >= 0 {
		return from + i
	}
	return len(p)
}

// nextEnd is the index behind the first CRLF, or behind the first lone CR or
// LF where that comes earlier, or -1; lf is where p's first LF is, or its
// length. A CR at the end of p is neither yet.
func nextEnd(p []byte, lf int) (end int, lone bool) {
	cr := bytes.IndexByte(p[:lf], '\r')
	switch {
	case cr >= 0 && cr+1 < lf:
		return cr + 1, true
	case lf == len(p):
		return -1, false
	default:
		return lf + 1, cr < 0
	}
}
